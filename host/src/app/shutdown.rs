//! What the operator tells the host by signals: to stop, or to read its files again.

use tokio::signal::unix::{Signal, SignalKind, signal};
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

/// The SIGHUPs from now on, which do not end the process any more.
///
/// # Errors
/// When the system refuses the handler.
pub fn hangups() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::hangup())?)
}
