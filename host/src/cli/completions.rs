//! `gristmill completions`: what a shell needs to complete the command line.

use anyhow::Context;
use clap::Args;
use clap_complete::Shell;

use crate::app::Failure;
use crate::console;

/// `gristmill completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the completions of a command.
pub(super) fn print(args: &Completions, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "gristmill", &mut script);
    let script = String::from_utf8(script).context("the completions are not UTF-8")?;
    console::print(&script)?;
    Ok(())
}
