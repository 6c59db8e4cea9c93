//! `gristmill stage test`.

use std::fmt::Write;
use std::path::Path;

use bytes::Bytes;
use gristmill_core::model::{Attribute, Header};
use gristmill_toolchain::cases::{Case, Expected, diff, read_all};
use gristmill_wasm::Module;

use super::super::payload::media_type;
use super::args::Test;
use super::subject::{build, found};
use crate::app::{Failure, Sandbox, SandboxItem, SandboxStage};
use crate::console::print;

/// What became of a case.
enum Verdict {
    Passed,
    /// Nobody had said yet what comes out, or it is to be written.
    Written,
    /// Something else came out, or nothing could; says what.
    Failed(String),
}

/// Runs every case, and says at the end how many came out as expected.
pub(super) async fn test(args: &Test) -> Result<(), Failure> {
    let (project, built) = build(args.folder.clone(), args.access.network()).await?;
    let cases = read_all(project.folder(), args.only.as_deref()).map_err(|error| Failure::Setup(error.into()))?;
    let found = found(project.name(), built.component).await?;
    let sandbox = Sandbox::new()?;
    let mut failed = 0;
    for case in &cases {
        let came = come(&sandbox, &found.name, &found.module, case).await;
        let (verdict, more) = match judge(case, came, args.update)? {
            Verdict::Passed => ("ok", String::new()),
            Verdict::Written => ("written", String::new()),
            Verdict::Failed(why) => {
                failed += 1;
                ("FAILED", why)
            }
        };
        print(&format!("{:<24} {verdict}\n{}", case.name, indented(&more)))?;
    }
    let count = cases.len();
    match failed {
        0 => {
            print(&format!("{count} {}\n", if count == 1 { "case" } else { "cases" })).map(drop).map_err(Failure::from)
        }
        _ => Err(Failure::Running(anyhow::anyhow!(
            "{failed} of {count} cases failed; if what came out is right, --update writes it"
        ))),
    }
}

/// What comes out of a case, or why the stage cannot be loaded for it.
async fn come(sandbox: &Sandbox, name: &str, module: &Module, case: &Case) -> Result<Expected, String> {
    let stage = SandboxStage {
        name: name.to_owned(),
        shown: name.to_owned(),
        module: module.clone(),
        config: case.terms.config_json(),
        routed: case.terms.routed.clone(),
        answers: case.answers.clone(),
    };
    let loaded = sandbox.load(stage).await.map_err(|refused| refused.to_string())?;
    let ran = loaded.run(item(case)).await;
    Expected::of(&ran.result).ok_or_else(|| match ran.result {
        Err(error) => format!("{:#}", anyhow::Error::new(error)),
        Ok(_) => String::new(),
    })
}

fn judge(case: &Case, came: Result<Expected, String>, update: bool) -> Result<Verdict, Failure> {
    let came = match came {
        Ok(came) => came,
        Err(why) => return Ok(Verdict::Failed(why)),
    };
    match &case.expected {
        Some(expected) if expected.says(&came) => Ok(Verdict::Passed),
        Some(expected) if !update => Ok(Verdict::Failed(diff(expected, &came))),
        None if !update => {
            let text = format!("there is no {} yet; --update writes what came out:\n{}", Expected::FILE, came.render());
            Ok(Verdict::Failed(text))
        }
        _ => match case.expect(&came) {
            Ok(()) => Ok(Verdict::Written),
            Err(error) => Err(Failure::Running(error.into())),
        },
    }
}

/// The item of a case.
pub(super) fn item(case: &Case) -> SandboxItem {
    let terms = &case.terms;
    let bytes = |text: &String| Bytes::copy_from_slice(text.as_bytes());
    let content_type = match terms.content_type.as_deref() {
        Some("") => None,
        Some(named) => Some(named.to_owned()),
        None => media_type(Path::new(&case.item)).map(str::to_owned),
    };
    let header = |(name, value): (&String, &String)| Header { name: name.clone().into(), value: Some(bytes(value)) };
    let attribute = |(name, value): (&String, &String)| Attribute { name: name.clone(), value: value.clone() };
    SandboxItem {
        payload: case.payload.clone().into(),
        content_type,
        key: terms.key.as_ref().map(bytes),
        headers: terms.headers.iter().map(header).collect(),
        attributes: terms.attributes.iter().map(attribute).collect(),
        attempt: terms.attempt.unwrap_or(1),
    }
}

fn indented(text: &str) -> String {
    let mut indented = String::new();
    for line in text.lines() {
        let _ = writeln!(indented, "    {line}");
    }
    indented
}
