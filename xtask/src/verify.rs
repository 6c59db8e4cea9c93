//! `cargo verify`: everything that a change must pass, on a laptop and in CI.

use anyhow::Result;

use crate::broker::Broker;
use crate::steps::Steps;
use crate::workspace::{self, Workspace, which};
use crate::{rules, setup, stages, test};

/// How much is verified.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// Everything, with Apache Kafka.
    Full,
    /// Everything that needs no broker.
    Quick,
}

/// Runs the steps until one fails, and prints how long each took.
pub(crate) fn run(workspace: &Workspace, extent: Extent) -> Result<()> {
    let mut steps = Steps::new(10);
    let result = run_steps(workspace, extent, &mut steps);
    eprintln!("\n{steps}");
    result
}

fn run_steps(workspace: &Workspace, extent: Extent, steps: &mut Steps) -> Result<()> {
    steps.take("build tools", "cargo xtask setup", || setup::run(workspace))?;
    let mut broker = match extent {
        Extent::Full => Some(Broker::begin(workspace)),
        Extent::Quick => None,
    };
    steps.run("format", &mut workspace.cargo(["fmt", "--all", "--", "--check"]))?;
    steps.take("house rules", "cargo xtask rules", || rules::check(&workspace.root))?;
    licences(workspace, steps)?;
    steps.take("stages", "cargo stages", || {
        stages::standard(workspace)?;
        stages::guests(workspace)
    })?;
    // Long before it is needed: if the broker cannot start, fail before the long builds, not after.
    if let Some(broker) = &mut broker {
        steps.take("Apache Kafka", "cargo xtask kafka", || broker.address().map(drop))?;
    }

    // The host and the rest separately: cargo unifies the features of everything it builds together, so with the guests
    // the host would be built with another wasmtime.
    let (host, mut rest) = (workspace.host_packages("--package")?, workspace.host_packages("--exclude")?);
    rest.insert(0, "--workspace".to_owned());
    clippy(workspace, steps, "clippy of the host", &host)?;
    clippy(workspace, steps, "clippy of the rest", &rest)?;
    steps.run("tests of the rest", workspace.cargo(["test"]).args(&rest))?;
    match &mut broker {
        Some(broker) => {
            let mut tests = test::with_broker(workspace, broker)?;
            steps.take("tests of the host", "cargo xtask test", || workspace::run(&mut tests))
        }
        None => steps.run("tests of the host without a broker", &mut test::without_broker(workspace)?),
    }
}

fn clippy(workspace: &Workspace, steps: &mut Steps, name: &'static str, packages: &[String]) -> Result<()> {
    let mut cargo = workspace.cargo(["clippy", "--all-targets"]);
    steps.run(name, cargo.args(packages).args(["--", "-D", "warnings"]))
}

/// Checks licences, bans and sources. Not advisories: they need the network and change every day, and what passes today
/// must pass tomorrow. `just deny` checks them.
fn licences(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    if which("cargo-deny").is_none() {
        steps.leave_out("licences", "cargo-deny is not installed; `cargo install cargo-deny --locked` installs it");
        return Ok(());
    }
    steps.run("licences", &mut workspace.cargo(["deny", "check", "licenses", "bans", "sources"]))
}
