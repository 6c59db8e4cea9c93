//! `cargo demo` and `cargo xtask host`: from a fresh clone to the running host.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{setup, stages};

/// Builds the host and becomes it with these arguments, so that its exit code and the signals sent to it are its own.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<ExitCode> {
    let mut steps = Steps::new(4);
    steps.take("checking the build tools", "cargo xtask setup", || setup::run(workspace))?;
    steps.take("building the stages", "cargo stages", || stages::standard(workspace))?;
    // Cargo gives dependencies other features when a test is built, and with other features they are other builds:
    // asking for a test beside the binary gives the demo the wasmtime of the tests, so nothing big is compiled twice.
    steps.run(
        "building the host (the first time this takes minutes: librdkafka, OpenSSL, wasmtime)",
        &mut workspace.cargo(["build", "--package", "gristmill", "--bin", "gristmill", "--test", "journal"]),
    )?;
    steps.headline(&format!("gristmill {}", args.join(" ")));
    let program = workspace.host();
    let error = Command::new(&program).args(args).exec();
    Err(error).with_context(|| format!("{} cannot be started", program.display()))
}
