//! `cargo demo` and `cargo xtask host`: build everything, then run the host.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{setup, stages};

/// Builds the host, then replaces this process with it, so that exit code and signals are the host's.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<ExitCode> {
    let mut steps = Steps::new(4);
    steps.take("checking the build tools", "cargo xtask setup", || setup::run(workspace))?;
    steps.take("building the stages", "cargo stages", || stages::standard(workspace))?;
    // Building a test adds features to the dependencies, and other features mean another build. Building a test with the
    // binary gives the demo the same wasmtime as the tests, so that nothing big is compiled twice.
    steps.run(
        "building the host (takes minutes the first time: librdkafka, OpenSSL, wasmtime)",
        &mut workspace.cargo(["build", "--package", "gristmill", "--bin", "gristmill", "--test", "journal"]),
    )?;
    steps.headline(&format!("gristmill {}", args.join(" ")));
    let program = workspace.host();
    let error = Command::new(&program).args(args).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}
