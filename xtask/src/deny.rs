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
/// Where the advisories come from, unless the variable names a clone.
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

    /// Checks advisories.
    pub(crate) fn advisories(&self, database: &Database) -> Result<()> {
        let mut command = self.command();
        if let Database::Named(clone) = database {
            command.arg("--config").arg(self.config(clone)?).arg("check");
        } else {
            command.args(["check", "--disable-fetch"]);
        }
        workspace::run(command.arg("advisories"))
    }

    /// deny.toml, with the clone in place of the database on the network.
    fn config(&self, clone: &Path) -> Result<PathBuf> {
        let text = fs::read_to_string(self.workspace.root.join("deny.toml")).context("cannot read deny.toml")?;
        let folder = self.workspace.target.join("advisories");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("deny.toml");
        fs::write(&path, with_database(&text, clone, &folder)?)?;
        Ok(path)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.workspace.root);
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

/// A configuration whose advisories come from a clone.
fn with_database(text: &str, clone: &Path, folder: &Path) -> Result<String> {
    ensure!(text.matches(SECTION).count() == 1, "deny.toml has no section [advisories]");
    let own = format!("db-urls = [{:?}]\ndb-path = {:?}\n", format!("file://{}", clone.display()), folder.join("db"));
    Ok(text.replace(SECTION, &format!("{SECTION}{own}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_come_from_the_clone_that_was_named() {
        let workspace = Workspace::find().unwrap();
        let text = fs::read_to_string(workspace.root.join("deny.toml")).unwrap();
        let config = with_database(&text, Path::new("/clone"), Path::new("/folder")).unwrap();
        assert!(config.contains("[advisories]\ndb-urls = [\"file:///clone\"]\ndb-path = \"/folder/db\"\n"), "{config}");
        assert!(config.contains("[bans]"), "the rest is kept");
        assert!(with_database("", Path::new("/clone"), Path::new("/folder")).is_err());
    }
}
