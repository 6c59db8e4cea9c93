//! `gristmill dev`: a pipeline under the hands of who writes it. What is saved is built, swapped in and shown at work.

pub(super) mod args;
mod change;
mod difference;
mod eyes;
mod models;
mod running;
mod samples;
mod session;
mod sources;
mod trace;
mod transcript;

use tokio_util::sync::CancellationToken;

use crate::app::{self, Failure};
use args::Dev;
use session::Session;

/// Runs a pipeline on the embedded broker with sample events, again after each change, until Ctrl-C.
///
/// # Errors
/// What keeps it from beginning at all; with `--once` also what is wrong with the pipeline, its stages or its samples. What is
/// wrong otherwise is shown, and the next save is waited for.
pub(super) async fn dev(args: &Dev) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    app::on_signals(shutdown.clone())?;
    let mut session = Session::open(args, shutdown.clone())?;
    let done = match args.once {
        true => shutdown.run_until_cancelled(Box::pin(session.once())).await,
        false => shutdown.run_until_cancelled(Box::pin(session.go_on())).await,
    };
    session.close().await;
    done.unwrap_or(Ok(()))
}
