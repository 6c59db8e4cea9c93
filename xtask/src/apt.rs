//! Packages of Debian, which are installed without asking where that may be done.

use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::{self, which};

/// What is missing.
pub(crate) struct Missing<'a> {
    /// For people.
    pub(crate) what: &'a str,
    /// The packages that have it.
    pub(crate) packages: &'a str,
    /// What else somebody can do who must not install them.
    pub(crate) or: &'a str,
}

impl Missing<'_> {
    /// Installs it if run as root; else the error says how to do that.
    pub(crate) fn install(&self) -> Result<()> {
        let Self { what, packages, or } = self;
        let line = format!("apt-get update && apt-get install -y {packages}");
        let is_root = || Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
        if which("apt-get").is_none() || !is_root() {
            bail!("not found: {what}; install with: sudo sh -c '{line}'{or}");
        }
        eprintln!("not found: {what}; installing with apt-get");
        shell(&line)
    }
}

/// Runs a line with apt-get in it, which asks nobody.
pub(crate) fn shell(line: &str) -> Result<()> {
    workspace::quietly(Command::new("sh").args(["-c", line]).env("DEBIAN_FRONTEND", "noninteractive"))
}
