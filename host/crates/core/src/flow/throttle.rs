//! Pauses the intake of events for all jobs while a dependency is rate-limited or unavailable.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::timer::sleep_until;
use crate::ports::{FlowEvent, Hold, Observer, PauseReason};

/// A pause that goes on for the same reason is told again after this long.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// A pause of the intake that ends on its own.
#[derive(Debug, Clone)]
pub(super) struct Pause {
    pub(super) until: Instant,
    pub(super) why: PauseReason,
    /// Whether it ends early when an item gets through.
    hold: Hold,
}

impl Pause {
    /// Whether a later pause replaces this one.
    fn is_like(&self, other: &Self) -> bool {
        self.hold == other.hold && is_same(&self.why, &other.why)
    }
}

/// Whether the same dependency is waited for.
fn is_same(one: &PauseReason, other: &PauseReason) -> bool {
    match (one, other) {
        (PauseReason::Dependency { stage: one, .. }, PauseReason::Dependency { stage: other, .. }) => one == other,
        (PauseReason::Store(_), PauseReason::Store(_))
        | (PauseReason::DeadLetters(_), PauseReason::DeadLetters(_))
        | (PauseReason::Objects(_), PauseReason::Objects(_))
        | (PauseReason::Operator, PauseReason::Operator) => true,
        _ => false,
    }
}

/// A pause that observers were told of.
struct Told {
    why: PauseReason,
    at: Instant,
    /// Whether its end is still to be told.
    open: bool,
}

impl Told {
    /// Whether observers would learn nothing from this reason.
    fn covers(&self, why: &PauseReason) -> bool {
        let failure = match (&self.why, why) {
            (PauseReason::Dependency { failure: one, .. }, PauseReason::Dependency { failure: other, .. }) => {
                one.code == other.code
            }
            _ => true,
        };
        failure && self.at.elapsed() < TELL_EVERY
    }
}

/// Lets jobs ask the main loop to start no new jobs for a while. A watch channel: many jobs write, the main loop reads.
#[derive(Clone)]
pub(super) struct Throttle {
    /// At most one for each dependency and way to be held up.
    pauses: watch::Sender<Vec<Pause>>,
    /// What was told of each dependency. Locked because jobs tell side by side.
    told: Arc<Mutex<Vec<Told>>>,
    observer: Arc<dyn Observer>,
}

impl Throttle {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self { pauses: watch::Sender::new(Vec::new()), told: Arc::default(), observer }
    }

    /// Starts no new jobs until `wait` is over. A pause that already lasts longer stays in effect. That of an outage is
    /// not extended before it ends: between two of them new events must come in, because what they get shows whether the
    /// dependency is down.
    pub(super) fn pause(&self, wait: Duration, why: PauseReason, hold: Hold) {
        let new = Pause { until: Instant::now() + wait, why: why.clone(), hold };
        let longer = self.pauses.send_if_modified(|pauses| {
            let at_least = if hold == Hold::Outage { Instant::now() } else { new.until };
            if pauses.iter().any(|pause| pause.is_like(&new) && pause.until > at_least) {
                return false;
            }
            pauses.retain(|pause| !pause.is_like(&new));
            pauses.push(new);
            true
        });
        if longer {
            self.tell(&why, wait);
        }
    }

    fn tell(&self, why: &PauseReason, wait: Duration) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = told.iter().position(|told| is_same(&told.why, why));
        if earlier.is_some_and(|index| told[index].covers(why)) {
            return;
        }
        let now = Told { why: why.clone(), at: Instant::now(), open: true };
        match earlier {
            Some(index) => told[index] = now,
            None => told.push(now),
        }
        drop(told);
        self.observer.observe(&FlowEvent::Paused { why, wait: Some(wait) });
    }

    /// An item of this stage got through an outage: ends the pause for it.
    pub(super) fn lift(&self, stage: &str) {
        let of_stage =
            |why: &PauseReason| matches!(why, PauseReason::Dependency { stage: held, .. } if **held == *stage);
        self.pauses.send_if_modified(|pauses| {
            let before = pauses.len();
            pauses.retain(|pause| pause.hold != Hold::Outage || !of_stage(&pause.why));
            pauses.len() < before
        });
    }

    /// No item of this stage waits any more.
    pub(super) fn over(&self, stage: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stage = |told: &&mut Told| {
            told.open && matches!(&told.why, PauseReason::Dependency { stage: held, .. } if **held == *stage)
        };
        let Some(ended) = told.iter_mut().find(of_stage) else { return };
        ended.open = false;
        let why = ended.why.clone();
        drop(told);
        self.observer.observe(&FlowEvent::Resumed { why: &why });
    }

    /// The current pause; the longest, if there are several. `None` if the intake is not paused.
    pub(super) fn current(&self) -> Option<Pause> {
        longest(&self.pauses.borrow()).cloned()
    }

    /// Whether the intake is paused.
    pub(super) fn is_paused(&self) -> bool {
        longest(&self.pauses.borrow()).is_some()
    }

    /// Waits until a pause begins, is extended or ends. Cancel-safe.
    pub(super) async fn changed(&self) {
        let mut receiver = self.pauses.subscribe();
        let until = receiver.borrow_and_update().iter().map(|pause| pause.until).max();
        tokio::select! {
            // The sender lives in `self`, so the channel cannot close.
            _ = receiver.changed() => {}
            () = sleep_until(until) => self.end(),
        }
    }

    /// Forgets pauses that are over, so that their end is noticed once, however late someone waits for it.
    fn end(&self) {
        self.pauses.send_if_modified(|pauses| {
            let before = pauses.len();
            pauses.retain(|pause| pause.until > Instant::now());
            pauses.len() < before
        });
    }
}

fn longest(pauses: &[Pause]) -> Option<&Pause> {
    pauses.iter().filter(|pause| pause.until > Instant::now()).max_by_key(|pause| pause.until)
}

#[cfg(test)]
mod tests;
