//! Programs that cargo installs.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::workspace::{self, Workspace, which};

/// A program that is a crate of the same name.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// Which one is installed, where there is none.
    pub(crate) version: &'static str,
}

impl Tool {
    /// The one in PATH, whatever its version; else one that is installed beside cargo's own files, once for each version.
    pub(crate) fn find(&self, workspace: &Workspace) -> Result<PathBuf> {
        let Self { name, version } = self;
        if let Some(program) = which(name) {
            return Ok(program);
        }
        let folder = cargo_home()?.join(format!("gristmill-{name}-{version}"));
        let program = folder.join("bin").join(name);
        if !program.is_file() {
            // Without optimisations: it runs for seconds, and would be compiled for minutes.
            let mut cargo = workspace.cargo(["install", name, "--locked", "--debug", "--version", version, "--root"]);
            cargo.arg(&folder).env("CARGO_PROFILE_DEV_DEBUG", "0");
            workspace::run(&mut cargo).with_context(|| format!("{name} is not in PATH and could not be installed"))?;
        }
        Ok(program)
    }
}

/// The folder of cargo's own files.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(env::current_dir()?.join(home));
    }
    Ok(PathBuf::from(env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo"))
}
