//! The pace of a pipeline: a limited dependency slows the taking of events, for all jobs alike.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::sleep_until;

/// Lets jobs say "begin nothing new for that long". A watch channel: many jobs write, the main loop reads.
#[derive(Debug, Clone)]
pub(super) struct Pace(watch::Sender<Option<Instant>>);

impl Pace {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// No new jobs before `wait` is over; a longer pause stands.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Some(Instant::now() + wait);
        self.0.send_if_modified(|paused_until| {
            let longer = until > *paused_until;
            if longer {
                *paused_until = until;
            }
            longer
        });
    }

    /// The end of the pause, while there is one.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.0.borrow().filter(|until| *until > Instant::now())
    }

    /// Returns when a pause begins, grows or ends. Waits for ever otherwise. Cancel-safe.
    pub(super) async fn changed(&self) {
        let mut receiver = self.0.subscribe();
        let until = *receiver.borrow_and_update();
        tokio::select! {
            // The sender lives in `self`, so the channel cannot close.
            _ = receiver.changed() => {}
            () = sleep_until(until.filter(|until| *until > Instant::now())) => {}
        }
    }
}
