//! `cargo xtask bench`: the figures, measured on Apache Kafka.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::broker::{Broker, VARIABLE};
use crate::host;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Builds the host and runs its `bench` with the address of a broker in its environment.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<ExitCode> {
    let mut steps = Steps::new(5);
    let mut broker = Broker::begin(workspace);
    host::build(workspace, &mut steps)?;
    let address = steps.take("starting Apache Kafka", "cargo xtask kafka", || broker.address())?;

    steps.headline("measuring");
    let program = workspace.host();
    let status = Command::new(&program)
        .arg("bench")
        .args(args)
        .env(VARIABLE, address)
        .status()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    // Killed by a signal there is no code; that is no success either.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
