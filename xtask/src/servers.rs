//! The programs of Redis and PostgreSQL, which tests start by themselves.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::{self, which};

/// Where Debian installs each version of PostgreSQL.
const VERSIONS: &str = "/usr/lib/postgresql";
const INSTALL: &str = "apt-get update && apt-get install -y redis-server postgresql";

/// Makes sure that tests can start Redis and PostgreSQL, unless the caller has named servers: installs them with apt-get if
/// run as root.
pub(crate) fn install() -> Result<()> {
    let mut missing = Vec::new();
    if !is_given("GRISTMILL_TEST_REDIS") && which("redis-server").is_none() {
        missing.push("redis-server");
    }
    if !is_given("GRISTMILL_TEST_POSTGRES") && newest_postgres().is_none() && which("initdb").is_none() {
        missing.push("PostgreSQL");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" and ");
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !root || which("apt-get").is_none() {
        bail!(
            "not found: {missing}, which tests start; install with: sudo sh -c '{INSTALL}', or name servers in \
             GRISTMILL_TEST_REDIS and GRISTMILL_TEST_POSTGRES"
        );
    }
    eprintln!("not found: {missing}; installing with apt-get");
    shell(INSTALL)?;
    // Named after the version that the distribution has; tests that need no vectors do without.
    if let Some(version) = newest_postgres() {
        shell(&format!("apt-get install -y postgresql-{version}-pgvector || true"))?;
    }
    Ok(())
}

fn is_given(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The newest version of PostgreSQL whose programs are here.
fn newest_postgres() -> Option<u32> {
    let entries = fs::read_dir(VERSIONS).ok()?.flatten();
    let versions = entries.filter(|entry| entry.path().join("bin/initdb").is_file());
    versions.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).max()
}

fn shell(line: &str) -> Result<()> {
    workspace::quietly(Command::new("sh").args(["-c", line]).env("DEBIAN_FRONTEND", "noninteractive"))
}
