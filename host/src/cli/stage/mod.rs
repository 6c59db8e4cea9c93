//! `gristmill stage`: begins, builds, tests and looks at stages.

mod args;
mod build;
mod config;
mod export;
mod inspect;
mod new;
mod portrait;
mod run;
mod sdk;
mod subject;
mod test;
mod versions;

pub(super) use args::Stage;
pub(super) use new::lacking;

use crate::app::Failure;

/// Runs the command.
pub(super) async fn run(command: &Stage) -> Result<(), Failure> {
    match command {
        Stage::New(args) => new::new(args),
        Stage::Build(args) => build::build(args).await,
        Stage::Test(args) => test::test(args).await,
        Stage::Run(args) => run::run(args).await,
        Stage::Inspect(args) => inspect::inspect(args).await,
        Stage::Export(args) => export::export(args),
        Stage::Sdk(args) => sdk::sdk(args),
        Stage::List(args) => versions::list(args).await,
        Stage::Activate(args) => versions::activate(args).await,
        Stage::Rollback(args) => versions::rollback(args).await,
        Stage::History(args) => versions::history(args).await,
    }
}
