//! The systemd unit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{CLOSING, assert_quiet, command_line, longest_drain, text, tool};

const UNIT: &str = "deploy/systemd/gristmill@.service";

/// An instance of the unit, with the binary that was just built.
fn installed(folder: &tempfile::TempDir) -> PathBuf {
    let unit = text(UNIT).replace("/usr/bin/gristmill", env!("CARGO_BIN_EXE_gristmill"));
    let path = folder.path().join("gristmill@orders.service");
    std::fs::write(&path, unit).unwrap();
    path
}

/// The settings of the unit; of one that comes several times, the last.
fn settings() -> BTreeMap<String, String> {
    let unit = text(UNIT);
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn wait(name: &str) -> Duration {
    let value = &settings()[name];
    let minutes = value.strip_suffix("min").unwrap_or_else(|| panic!("{name}={value} is not in minutes"));
    Duration::from_secs(minutes.parse::<u64>().unwrap() * 60)
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = installed(&folder);
    let Some(output) = tool("systemd-analyze", &["verify", "--man=no", unit.to_str().unwrap()]) else { return };
    assert_quiet(&output);
}

#[test]
fn the_host_is_not_exposed() {
    let folder = tempfile::tempdir().unwrap();
    let unit = installed(&folder);
    // Of 10; 15 means 1.5. What is left: it may talk to the network, and its code may be written while it runs.
    let args = ["security", "--offline=yes", "--threshold=15", "--no-pager", unit.to_str().unwrap()];
    let Some(output) = tool("systemd-analyze", &args) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_unit_waits_longer_than_any_drain_and_less_than_a_group_does() {
    assert!(wait("TimeoutStopSec") > longest_drain() + CLOSING);
    let group = Duration::from_millis(300_000); // max.poll.interval.ms
    assert!(wait("WatchdogSec") < group, "a host that hangs is replaced before its group continues without it");
    assert_eq!(settings()["Type"], "notify");
}

#[test]
fn a_fault_that_a_restart_cannot_mend_is_not_restarted() {
    // clap's code of a wrong command line, and those of `gristmill --help`.
    assert_eq!(settings()["RestartPreventExitStatus"], "2 3 78");
    assert_eq!(settings()["Restart"], "on-failure");
}

#[test]
fn the_unit_starts_the_binary_as_it_wants_to_be_started() {
    command_line(&settings()["ExecStart"].split(' ').collect::<Vec<_>>());
}

#[test]
fn code_that_the_host_compiles_may_run() {
    assert!(!settings().contains_key("MemoryDenyWriteExecute"));
}
