//! `cargo xtask test`: the host's tests, with the guests built and a broker running.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io, thread};

use anyhow::{Context, Result, anyhow};

use crate::broker::{Broker, VARIABLE};
use crate::workspace::{self, Workspace};
use crate::{clients, kafka, languages, servers, setup, stages};

/// The integration tests that need Apache Kafka. A new test that needs it belongs in one of them.
const NEED_A_BROKER: &[&str] = &["api", "broker", "pipeline", "reliability"];

/// The tests that mostly wait: for hosts that were killed, for brokers that went away. Alone they take as long as all others
/// together, so they run beside them.
const MOSTLY_WAITS: &str = "reliability";

/// Runs the tests of the host; with arguments, `cargo test` with these.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<()> {
    setup::run(workspace)?;
    servers::install()?;
    let clients = clients::install(workspace)?;
    let mut broker = Broker::begin(workspace);
    stages::standard(workspace)?;
    stages::guests(workspace)?;
    languages::build(workspace)?;
    if args.is_empty() {
        return all(workspace, &mut broker, &clients);
    }
    workspace::run(with_broker(workspace, &mut broker)?.envs(clients).args(args))
}

/// All tests of the host: built together, then in two lanes. What the second one prints is shown after the first has ended.
pub(crate) fn all(workspace: &Workspace, broker: &mut Broker, clients: &[(&str, PathBuf)]) -> Result<()> {
    let mut cargo = |args: &[&str]| -> Result<Command> {
        let mut command = with_broker(workspace, broker)?;
        command.envs(clients.iter().map(|(name, program)| (name, program))).args(args);
        Ok(command)
    };
    workspace::run(&mut cargo(&["--no-run"])?)?;

    let others = integration_tests_of_host(workspace)?;
    let others = others.iter().filter(|test| *test != MOSTLY_WAITS).flat_map(|test| ["--test", test]);
    let mut first = cargo(&[&["--lib", "--bins"], others.collect::<Vec<_>>().as_slice()].concat())?;
    // Cargo cannot combine documentation tests with a selection of tests.
    let mut documentation = cargo(&["--doc"])?;
    let mut second = cargo(&["--test", MOSTLY_WAITS])?;

    let log = workspace.target.join("tests-beside.log");
    let (log, name) = (&log, log.display());
    let out = File::create(log).with_context(|| format!("cannot write {name}"))?;
    second.stdout(out.try_clone()?).stderr(out);
    let (first, second) = thread::scope(|scope| {
        let second = scope.spawn(|| workspace::run(&mut second));
        let (first, documentation) = (workspace::run(&mut first), workspace::run(&mut documentation));
        (first.and(documentation), second.join())
    });
    let mut shown = File::open(log).with_context(|| format!("cannot read {name}"))?;
    io::copy(&mut shown, &mut io::stderr()).with_context(|| format!("cannot show {name}"))?;
    first.and(second.map_err(|_| anyhow!("the thread that runs `{MOSTLY_WAITS}` panicked"))?)
}

/// `cargo xtask soak`: the reliability tests in full size, with their figures.
pub(crate) fn soak(workspace: &Workspace, args: &[&str]) -> Result<()> {
    setup::run(workspace)?;
    servers::install()?;
    let mut broker = Broker::begin(workspace);
    stages::standard(workspace)?;
    stages::guests(workspace)?;
    let mut command = with_broker(workspace, &mut broker)?;
    command.env("GRISTMILL_SOAK", "1").args(["--test", "reliability", "--", "--nocapture"]).args(args);
    workspace::run(&mut command)
}

/// All tests of the host, including doc tests, with the broker, and with the jars for tests that start their own broker.
pub(crate) fn with_broker(workspace: &Workspace, broker: &mut Broker) -> Result<Command> {
    let mut command = workspace.cargo(["test", "--no-fail-fast"]);
    command.args(workspace.host_packages("--package")?);
    command.env(VARIABLE, broker.address()?);
    if env::var_os(kafka::HOME).is_none() {
        command.env(kafka::HOME, kafka::jars(&workspace.target)?);
    }
    Ok(command)
}

/// All tests of the host that need no broker, except doc tests, which cargo cannot combine with a selection of tests.
pub(crate) fn without_broker(workspace: &Workspace) -> Result<Command> {
    let mut command = workspace.cargo(["test", "--no-fail-fast", "--lib", "--bins"]);
    command.args(workspace.host_packages("--package")?);
    for test in integration_tests_of_host(workspace)? {
        if !NEED_A_BROKER.contains(&test.as_str()) {
            command.args(["--test", &test]);
        }
    }
    command.env_remove(VARIABLE);
    Ok(command)
}

/// The names of the integration tests of the host and its crates.
fn integration_tests_of_host(workspace: &Workspace) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in host_tests(workspace)? {
        names.extend(integration_tests(&folder)?);
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The folders of integration tests of the host and its crates.
fn host_tests(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let crates = workspace.root.join("host/crates");
    let mut folders = vec![workspace.root.join("host/tests")];
    for entry in fs::read_dir(&crates).with_context(|| format!("cannot read {}", crates.display()))? {
        let tests = entry?.path().join("tests");
        if tests.is_dir() {
            folders.push(tests);
        }
    }
    Ok(folders)
}

/// The names of the test targets in a folder: its files, and its folders with a `main.rs`.
fn integration_tests(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let is_test = path.join("main.rs").is_file() || path.extension().is_some_and(|extension| extension == "rs");
        if let (true, Some(name)) = (is_test, path.file_stem()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_run_skips_tests_that_need_a_broker() {
        let workspace = Workspace::find().unwrap();
        let line = workspace::line(&without_broker(&workspace).unwrap());
        assert!(line.contains("--test sandbox") && line.contains("--test examples"), "{line}");
        assert!(!line.contains("--test broker"), "{line}");
    }
}
