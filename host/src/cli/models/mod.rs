//! `gristmill models`: shows and tries the models of a pipeline, and what they have cost.

mod args;
mod list;
mod test;
mod usage;

pub(super) use args::Models;
use args::Of;

use super::files;
use crate::app::Failure;
use crate::settings::Pipeline;

/// Runs the command.
pub(super) async fn run(command: &Models) -> Result<(), Failure> {
    match command {
        Models::List(args) => list::list(args),
        Models::Test(args) => test::test(args).await,
        Models::Usage(args) => usage::usage(args),
    }
}

/// The pipeline that is meant, with the models of its host.
fn pipeline(of: &Of) -> Result<Pipeline, Failure> {
    let host = files::host(of.host.as_deref())?;
    Ok(Pipeline::load_in(&of.pipeline, &host)?)
}
