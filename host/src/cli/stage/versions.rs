//! `gristmill stage list | activate | rollback | history`: the versions of a host's stages, from its admin server.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use gristmill_admin::{History, StageVersions, VersionDone, VersionList, VersionState};
use gristmill_core::model::{Share, printable};
use gristmill_core::settings::{ByteSize, read_file};

use super::super::admin_server::{AdminServer, Host};
use crate::app::Failure;
use crate::console;

/// The largest module.
const LARGEST: ByteSize = ByteSize::mib(64);
/// How many digits of a digest are shown; as many as outputs carry.
const DIGITS: usize = 16;

/// `gristmill stage list`.
#[derive(Debug, Args)]
pub struct List {
    /// The name of the pipeline.
    pub pipeline: String,
    /// Only this stage.
    pub stage: Option<String>,
    /// Print one JSON object, as docs/admin-api.md describes it.
    #[arg(long)]
    pub json: bool,
    /// Which host.
    #[command(flatten)]
    pub host: Host,
}

/// `gristmill stage activate`.
#[derive(Debug, Args)]
pub struct Activate {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// A component's file, which is sent; or a version by its number or the first digits of its digest.
    #[arg(value_name = "FILE|VERSION")]
    pub version: String,
    /// Only for this part of the new jobs, in percent. It is taken back if it is worse than what serves.
    #[arg(long, value_name = "PERCENT")]
    pub canary: Option<Share>,
    /// After how long a canary that is not worse serves alone, for example 10m. Without it, activate it once more.
    #[arg(long, value_name = "DURATION", requires = "canary")]
    pub promote_after: Option<humantime::Duration>,
    /// Which host.
    #[command(flatten)]
    pub host: Host,
}

/// `gristmill stage rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// Which host.
    #[command(flatten)]
    pub host: Host,
}

/// `gristmill stage history`.
#[derive(Debug, Args)]
pub struct HistoryOf {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// Print one JSON object, as docs/admin-api.md describes it.
    #[arg(long)]
    pub json: bool,
    /// Which host.
    #[command(flatten)]
    pub host: Host,
}

/// Shows the versions of a pipeline's stages.
pub(super) async fn list(args: &List) -> Result<(), Failure> {
    let server = AdminServer::of(&args.host)?;
    let mut path = vec!["v1", "pipelines", &args.pipeline];
    path.extend(args.stage.iter().flat_map(|stage| ["stages", stage]));
    path.push("versions");
    let body = server.get(&path, &[]).await?.text().await.context(BROKE)?;
    let text = match args.json {
        true => format!("{body}\n"),
        false => listed(&serde_json::from_str(&body).context(NO_SERVER)?),
    };
    console::print(&text)?;
    Ok(())
}

/// Lets a version serve, and sends it before if it is a file.
pub(super) async fn activate(args: &Activate) -> Result<(), Failure> {
    let server = AdminServer::of(&args.host)?;
    let share = args.canary.map(|share| share.to_string().trim_end_matches('%').to_owned());
    let after = args.promote_after.map(|after| after.to_string().replace(' ', ""));
    let mut query: Vec<(&str, &str)> = Vec::new();
    query.extend(share.iter().map(|share| ("share", &**share)));
    query.extend(after.iter().map(|after| ("promote_after", &**after)));
    let at = ["v1", "pipelines", &args.pipeline, "stages", &args.stage];
    let done = match component(&args.version) {
        Some(path) => {
            let read = read_file(&path, LARGEST).with_context(|| format!("cannot read {}", path.display()));
            let wasm = read.map_err(Failure::Setup)?;
            query.push(("activate", if args.canary.is_some() { "canary" } else { "now" }));
            server.push(&[&at[..], &["versions"]].concat(), &query, wasm).await?
        }
        None => {
            query.push(("version", &args.version));
            server.post(&[&at[..], &["activate"]].concat(), &query).await?
        }
    };
    report(&done.text().await.context(BROKE)?)
}

/// Lets the version serve that served before.
pub(super) async fn rollback(args: &Rollback) -> Result<(), Failure> {
    let server = AdminServer::of(&args.host)?;
    let path = ["v1", "pipelines", &args.pipeline, "stages", &args.stage, "rollback"];
    report(&server.post(&path, &[]).await?.text().await.context(BROKE)?)
}

/// Shows what became of a stage's versions.
pub(super) async fn history(args: &HistoryOf) -> Result<(), Failure> {
    let server = AdminServer::of(&args.host)?;
    let path = ["v1", "pipelines", &args.pipeline, "stages", &args.stage, "history"];
    let body = server.get(&path, &[]).await?.text().await.context(BROKE)?;
    let text = match args.json {
        true => format!("{body}\n"),
        false => told(&serde_json::from_str(&body).context(NO_SERVER)?),
    };
    console::print(&text)?;
    Ok(())
}

const BROKE: &str = "the host has ended the connection";
const NO_SERVER: &str = "this is no admin server of Gristmill";

/// The file that a word names: one that is there, or looks like one.
fn component(word: &str) -> Option<PathBuf> {
    let path = Path::new(word);
    let is_one = path.is_file() || word.contains('/') || path.extension().is_some_and(|ending| ending == "wasm");
    is_one.then(|| path.to_owned())
}

fn report(body: &str) -> Result<(), Failure> {
    let done: VersionDone = serde_json::from_str(body).context(NO_SERVER)?;
    let VersionDone { pipeline, stage, version, digest, state, deployment: _ } = &done;
    let does = match state {
        VersionState::Serving => "serves",
        VersionState::Canary => "is on trial",
        VersionState::Ready => "is ready",
        VersionState::Retired => "is retired",
        VersionState::Refused => "is refused",
    };
    let digest = short(digest);
    console::print(&format!(
        "version {version} of {} in {} {does} ({digest})\n",
        printable(stage),
        printable(pipeline)
    ))?;
    Ok(())
}

fn listed(list: &VersionList) -> String {
    let mut text = String::new();
    for StageVersions { stage, module, versions } in &list.stages {
        let _ = writeln!(text, "{}: {}", printable(stage), printable(module));
        for version in versions {
            let mut notes = Vec::new();
            notes.extend(version.share.as_ref().map(|share| format!("{share} of the jobs")));
            if version.file {
                notes.push("what the file names".to_owned());
            } else if version.state == VersionState::Serving {
                notes.push("activated over the file".to_owned());
            }
            if !version.kept && version.state != VersionState::Refused {
                notes.push("not kept any more".to_owned());
            }
            notes.extend(version.reason.as_deref().map(first_line));
            let (state, digest) = (version.state.as_str(), short(&version.digest));
            let line = format!("  {:>3}  {state:<8}{digest}  {}  {:<9}", version.version, version.since, version.by);
            let _ = writeln!(text, "{}", format!("{line}  {}", notes.join("; ")).trim_end());
        }
    }
    text
}

fn told(history: &History) -> String {
    let mut text = String::new();
    for entry in &history.entries {
        let reason = entry.reason.as_deref().map(first_line).unwrap_or_default();
        let (digest, change, by) = (short(&entry.digest), &entry.change, &entry.by);
        let line = format!("{}  {:>3}  {change:<9}  {by:<9}  {digest}  {reason}", entry.at, entry.version);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if text.is_empty() {
        text.push_str("nothing has become of this stage's versions yet, as far as the host knows\n");
    }
    text
}

fn short(digest: &str) -> String {
    printable(&digest.chars().take(DIGITS).collect::<String>())
}

fn first_line(text: &str) -> String {
    printable(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use gristmill_admin::{HistoryEntry, VersionView};

    use super::*;

    #[test]
    fn a_list_says_what_serves_and_why_others_do_not() {
        let view = |version, state, by: &str| VersionView {
            version,
            digest: format!("{version}{}", "a".repeat(63)),
            state,
            by: by.into(),
            since: "2026-01-02T03:04:05.678Z".into(),
            kept: true,
            ..VersionView::default()
        };
        let file = VersionView { file: true, ..view(1, VersionState::Retired, "file") };
        let bad =
            VersionView { reason: Some("no component\nat all\x1b".into()), ..view(3, VersionState::Refused, "push") };
        let trial = VersionView { share: Some("5%".into()), ..view(4, VersionState::Canary, "push") };
        let versions = vec![file, view(2, VersionState::Serving, "push"), bad, trial];
        let stage = StageVersions { stage: "enrich".into(), module: "enrich.wasm".into(), versions };
        let list = VersionList { pipeline: "p".into(), stages: vec![stage] };
        let since = "2026-01-02T03:04:05.678Z";
        let expected = format!(
            "enrich: enrich.wasm\n  \
               1  retired 1aaaaaaaaaaaaaaa  {since}  file       what the file names\n  \
               2  serving 2aaaaaaaaaaaaaaa  {since}  push       activated over the file\n  \
               3  refused 3aaaaaaaaaaaaaaa  {since}  push       no component\n  \
               4  canary  4aaaaaaaaaaaaaaa  {since}  push       5% of the jobs\n"
        );
        assert_eq!(listed(&list), expected.replace("\n  ", "\n    "));
    }

    #[test]
    fn a_history_is_one_line_for_each_entry() {
        let entry = HistoryEntry {
            at: "2026-01-02T03:04:05.678Z".into(),
            version: 2,
            digest: "b".repeat(64),
            change: "withdrawn".into(),
            by: "automatic".into(),
            reason: Some("more failures".into()),
        };
        let history = History { entries: vec![entry], ..History::default() };
        let expected = "2026-01-02T03:04:05.678Z    2  withdrawn  automatic  bbbbbbbbbbbbbbbb  more failures\n";
        assert_eq!(told(&history), expected);
        assert!(told(&History::default()).contains("nothing"));
    }

    #[test]
    fn a_version_is_a_file_only_if_it_looks_like_one() {
        for (word, is_file) in [("3", false), ("3f2a9c01", false), ("new.wasm", true), ("./3", true), ("no/such", true)]
        {
            assert_eq!(component(word).is_some(), is_file, "{word}");
        }
    }
}
