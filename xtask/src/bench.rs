//! `cargo xtask bench`: runs the benchmarks on Apache Kafka.

use anyhow::Result;

use crate::broker::{Broker, VARIABLE};
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{setup, stages};

/// Builds the stages and the host in the common profile, and runs the benchmarks against a broker.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<()> {
    // Stages by themselves are measured without a broker beside them.
    let mut broker = (args.first() != Some(&"stages")).then(|| Broker::begin(workspace));
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
    steps.run("building the host and measuring it", &mut bench)
}
