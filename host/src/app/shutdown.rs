//! When the operator wants the host to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token at the first SIGTERM or Ctrl-C, and ends the process at once, with the exit code 1, at the second.
/// Nothing is lost by that: what was not committed comes again.
///
/// # Errors
/// When the system refuses the handlers.
pub fn on_signals(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        shutdown.cancel();
        next().await;
        tracing::warn!("asked to stop a second time: stopping at once");
        std::process::exit(1);
    });
    Ok(())
}
