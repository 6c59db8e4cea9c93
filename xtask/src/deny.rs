//! cargo-deny: licences, banned crates and sources, and advisories.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tool::{Tool, cargo_home};
use crate::workspace::{self, Workspace};

const TOOL: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
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
    /// Finds it, or installs it.
    pub(crate) fn find(workspace: &'a Workspace) -> Result<Self> {
        Ok(Self { workspace, program: TOOL.find(workspace)? })
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
