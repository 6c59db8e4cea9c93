//! `gristmill dlq`: shows the dead letters of a pipeline, and replays their events.

mod args;
mod choice;
mod dead_letter;
mod desk;
mod list;
mod moment;
mod replay;
mod show;

pub(super) use args::Dlq;

use crate::app::Failure;

/// Runs the command.
pub(super) async fn run(command: &Dlq) -> Result<(), Failure> {
    match command {
        Dlq::List(args) => list::list(args).await,
        Dlq::Show(args) => show::show(args).await,
        Dlq::Replay(args) => replay::replay(args).await,
    }
}
