//! The programs of Redis and PostgreSQL, which tests start by themselves.

use std::fs;

use anyhow::Result;

use crate::apt::{self, Missing};
use crate::workspace::{given, which};

/// Where Debian installs each version of PostgreSQL.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Makes sure that tests can start Redis and PostgreSQL, unless the caller has named servers: installs them with apt-get if
/// run as root.
pub(crate) fn install() -> Result<()> {
    let mut missing = Vec::new();
    if given("GRISTMILL_TEST_REDIS").is_none() && which("redis-server").is_none() {
        missing.push("redis-server");
    }
    if given("GRISTMILL_TEST_POSTGRES").is_none() && newest_postgres().is_none() && which("initdb").is_none() {
        missing.push("PostgreSQL");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = Missing {
        what: &format!("{}, which tests start", missing.join(" and ")),
        packages: "redis-server postgresql",
        or: ", or name servers in GRISTMILL_TEST_REDIS and GRISTMILL_TEST_POSTGRES",
    };
    missing.install()?;
    // Named after the version that the distribution has; tests that need no vectors do without.
    if let Some(version) = newest_postgres() {
        apt::shell(&format!("apt-get install -y postgresql-{version}-pgvector || true"))?;
    }
    Ok(())
}

/// The newest version of PostgreSQL whose programs are here.
fn newest_postgres() -> Option<u32> {
    let entries = fs::read_dir(VERSIONS).ok()?.flatten();
    let versions = entries.filter(|entry| entry.path().join("bin/initdb").is_file());
    versions.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).max()
}
