//! Pauses the intake of events for all jobs while a dependency is rate-limited or unavailable.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::timer::sleep_until;
use crate::ports::{FlowEvent, Observer, PauseReason};

/// A pause of the intake that ends on its own.
#[derive(Debug, Clone)]
pub(super) struct Pause {
    pub(super) until: Instant,
    pub(super) why: PauseReason,
}

/// Lets jobs ask the main loop to start no new jobs for a while. A watch channel: many jobs write, the main loop reads.
#[derive(Clone)]
pub(super) struct Throttle {
    pause: watch::Sender<Option<Pause>>,
    observer: Arc<dyn Observer>,
}

impl Throttle {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self { pause: watch::Sender::new(None), observer }
    }

    /// Starts no new jobs until `wait` is over. A pause that already lasts longer stays in effect.
    pub(super) fn pause(&self, wait: Duration, why: PauseReason) {
        let until = Instant::now() + wait;
        let longer = self.pause.send_if_modified(|pause| {
            let longer = pause.as_ref().is_none_or(|pause| until > pause.until);
            if longer {
                *pause = Some(Pause { until, why: why.clone() });
            }
            longer
        });
        if longer {
            self.observer.observe(&FlowEvent::Paused { why: &why, wait: Some(wait) });
        }
    }

    /// The current pause. `None` if the intake is not paused.
    pub(super) fn current(&self) -> Option<Pause> {
        self.pause.borrow().clone().filter(|pause| pause.until > Instant::now())
    }

    /// Whether the intake is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.pause.borrow().as_ref().is_some_and(|pause| pause.until > Instant::now())
    }

    /// Waits until a pause begins, is extended or ends. Cancel-safe.
    pub(super) async fn changed(&self) {
        let mut receiver = self.pause.subscribe();
        let until = receiver.borrow_and_update().as_ref().map(|pause| pause.until);
        tokio::select! {
            // The sender lives in `self`, so the channel cannot close.
            _ = receiver.changed() => {}
            () = sleep_until(until) => self.end(),
        }
    }

    /// Forgets a pause that is over, so that its end is noticed once, however late someone waits for it.
    fn end(&self) {
        self.pause.send_if_modified(|pause| pause.take_if(|pause| pause.until <= Instant::now()).is_some());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::Observers;

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_pause_is_noticed_once_even_if_nobody_waited_for_it() {
        let throttle = Throttle::new(Arc::new(Observers::default()));
        throttle.pause(Duration::from_secs(1), PauseReason::Operator);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!throttle.is_paused());
        throttle.changed().now_or_never().expect("the pause ended unnoticed");
        assert!(throttle.changed().now_or_never().is_none(), "nothing has changed since");
    }
}
