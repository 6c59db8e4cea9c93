//! `gristmill models`: shows and tries the models of a pipeline, and what they have cost.

mod args;
mod list;
mod test;
mod usage;

pub(super) use args::Models;

use crate::app::Failure;

/// Runs the command.
pub(super) async fn run(command: &Models) -> Result<(), Failure> {
    match command {
        Models::List(args) => list::list(args),
        Models::Test(args) => test::test(args).await,
        Models::Usage(args) => usage::usage(args).await,
    }
}
