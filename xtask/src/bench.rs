//! `cargo xtask bench`: runs the benchmarks on Apache Kafka.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::broker::{Broker, VARIABLE};
use crate::steps::Steps;
use crate::workspace::{self, Workspace};
use crate::{setup, stages};

/// What the Python worker needs, from PyPI.
const CONFLUENT_KAFKA: &str = "confluent-kafka==2.16.1";

/// Builds the stages and the host in the common profile, and runs the benchmarks against a broker.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<()> {
    // Stages and the gateway are measured without a broker beside them.
    let alone = matches!(args.first(), Some(&"stages" | &"gateway"));
    let mut broker = (!alone).then(|| Broker::begin(workspace));
    let mut steps = Steps::new(if broker.is_some() { 4 } else { 3 });
    steps.take("checking the build tools", "cargo xtask setup", || setup::run(workspace))?;
    steps.take("building the stages", "cargo stages", || {
        stages::standard(workspace)?;
        stages::guests(workspace)
    })?;
    let mut bench = workspace.cargo(["bench", "--profile", "dev", "--package", "gristmill"]);
    // The common profile compiles the host's crates quickly; the benchmarks need them optimised.
    for package in workspace.host_packages("--package")?.iter().filter(|word| word.starts_with("gristmill")) {
        bench.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=3"));
    }
    bench.args(["--bench", "throughput", "--"]).args(args);
    if let Some(broker) = &mut broker {
        let address = steps.take("starting Apache Kafka", "cargo xtask kafka", || broker.address())?;
        bench.env(VARIABLE, address);
    }
    if args.contains(&"python") {
        bench.env("GRISTMILL_BENCH_PYTHON", python(workspace)?);
    }
    steps.run("building the host and measuring it", &mut bench)
}

/// A Python of its own for the worker that is measured beside the host.
fn python(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("peers");
    workspace::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let python = folder.join("bin/python");
    workspace::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", CONFLUENT_KAFKA]))?;
    Ok(python)
}
