//! cargo-deny: licences, banned crates and sources, and advisories.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, Workspace, which};

/// Which cargo-deny is installed, where there is none.
const VERSION: &str = "0.20.2";
/// The variable with a clone of the RustSec advisory database.
pub(crate) const DATABASE: &str = "GRISTMILL_ADVISORY_DB";
/// Where cargo-deny fetches it from.
const ORIGIN: &str = "https://github.com/RustSec/advisory-db";
/// The section of deny.toml about it.
const SECTION: &str = "[advisories]\n";

/// cargo-deny, and how it is called.
pub(crate) struct Deny<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
}

/// Where advisories come from without asking the network.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// A clone that the caller has named.
    Named(PathBuf),
    /// What `cargo deny fetch`, or `just deny`, has left.
    Fetched,
}

impl<'a> Deny<'a> {
    /// The cargo-deny in PATH, whatever its version; else one that is installed beside cargo's own files, once for each
    /// version.
    pub(crate) fn find(workspace: &'a Workspace) -> Result<Self> {
        if let Some(program) = which("cargo-deny") {
            return Ok(Self { workspace, program });
        }
        let folder = cargo_home()?.join(format!("gristmill-cargo-deny-{VERSION}"));
        let program = folder.join("bin/cargo-deny");
        if !program.is_file() {
            install(workspace, &folder)?;
        }
        Ok(Self { workspace, program })
    }

    /// Checks licences, bans and sources.
    pub(crate) fn licences(&self) -> Result<()> {
        workspace::run(self.command().args(["check", "licenses", "bans", "sources"]))
    }

    /// The licences of what a package is made of, tests left out, with the crates of each.
    pub(crate) fn list(&self, manifest: &Path) -> Result<String> {
        workspace::output(self.command().arg("--manifest-path").arg(manifest).args(["--exclude-dev", "list"]))
    }

    /// Checks advisories.
    pub(crate) fn advisories(&self, database: &Database) -> Result<()> {
        let mut command = self.command();
        match database {
            Database::Named(clone) => {
                let mut date = Command::new("git");
                date.arg("-C").arg(clone).args(["log", "-1", "--format=%cs"]);
                eprintln!("advisories of {}", workspace::output(&mut date)?);
                // cargo-deny has git fetch it, and knows no other place than the network's. So git is told of another.
                command
                    .env("GIT_CONFIG_COUNT", "1")
                    .env("GIT_CONFIG_KEY_0", format!("url.file://{}.insteadOf", clone.display()))
                    .env("GIT_CONFIG_VALUE_0", ORIGIN)
                    .arg("--config")
                    .arg(self.config()?)
                    .args(["check", "advisories"]);
            }
            Database::Fetched => {
                command.args(["check", "--disable-fetch", "advisories"]);
            }
        }
        workspace::run(&mut command)
    }

    /// deny.toml with a place of our own for the database, so that the caller's is left alone.
    fn config(&self) -> Result<PathBuf> {
        let text = fs::read_to_string(self.workspace.root.join("deny.toml")).context("cannot read deny.toml")?;
        let folder = self.workspace.target.join("advisories");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("deny.toml");
        fs::write(&path, with_database(&text, &folder)?)?;
        Ok(path)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Without the warnings: that several versions of a crate are there is known, and its graph takes a thousand lines.
        command.current_dir(&self.workspace.root).args(["--log-level", "error"]);
        command
    }
}

impl Database {
    /// The one that there is, if any.
    pub(crate) fn find() -> Result<Option<Self>> {
        if let Some(folder) = env::var_os(DATABASE).filter(|folder| !folder.is_empty()) {
            let clone = env::current_dir()?.join(folder);
            ensure!(clone.is_dir(), "{DATABASE} names {}, which is no folder", clone.display());
            return Ok(Some(Self::Named(clone)));
        }
        let fetched = cargo_home()?.join("advisory-dbs");
        let has_one = fs::read_dir(fetched).is_ok_and(|mut databases| databases.next().is_some());
        Ok(has_one.then_some(Self::Fetched))
    }
}

/// Installs cargo-deny without optimisations: it runs for seconds, and would be compiled for minutes.
fn install(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut cargo = workspace.cargo(["install", "cargo-deny", "--locked", "--debug", "--version", VERSION, "--root"]);
    cargo.arg(folder).env("CARGO_PROFILE_DEV_DEBUG", "0");
    workspace::run(&mut cargo).context("cargo-deny is not in PATH and could not be installed")
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(env::current_dir()?.join(home));
    }
    Ok(PathBuf::from(env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo"))
}

/// A configuration that keeps the database below this folder.
fn with_database(text: &str, folder: &Path) -> Result<String> {
    ensure!(text.matches(SECTION).count() == 1, "deny.toml has no section [advisories]");
    Ok(text.replace(SECTION, &format!("{SECTION}db-path = {:?}\n", folder.join("db"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_that_was_named_is_kept_apart_and_everything_else_stays() {
        let workspace = Workspace::find().unwrap();
        let text = fs::read_to_string(workspace.root.join("deny.toml")).unwrap();
        let config = with_database(&text, Path::new("/folder")).unwrap();
        let own = "[advisories]\ndb-path = \"/folder/db\"\n";
        assert!(config.contains(own), "{config}");
        assert_eq!(config.replace(own, SECTION), text);
        assert!(with_database("", Path::new("/folder")).is_err());
    }
}
