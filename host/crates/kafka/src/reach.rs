//! Whether any broker can be reached. librdkafka reports the loss of all of them, but not that one is back: as long as none
//! is, one is asked again and again.

use std::time::{Duration, Instant};

/// How often a lost broker is asked.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of the brokers.
#[derive(Debug, Default)]
pub(super) struct Reachable {
    /// When to ask next; `None` while they can be reached.
    ask: Option<Instant>,
}

/// Whether something is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    New,
    Known,
}

impl Reachable {
    /// All brokers are lost.
    pub(super) fn lost(&mut self, now: Instant) -> Change {
        match self.ask.replace(now + AGAIN) {
            None => Change::New,
            Some(_) => Change::Known,
        }
    }

    /// A broker answered.
    pub(super) fn answered(&mut self) -> Change {
        match self.ask.take() {
            Some(_) => Change::New,
            None => Change::Known,
        }
    }

    /// Whether to ask one now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.ask.is_some_and(|ask| now >= ask);
        if is_due {
            self.ask = Some(now + AGAIN);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_brokers_are_asked_every_second_until_one_answers() {
        let (begun, mut reachable) = (Instant::now(), Reachable::default());
        let at = |millis| begun + Duration::from_millis(millis);
        assert!(!reachable.is_due(at(0)), "nobody asks for what is not lost");
        assert_eq!(reachable.answered(), Change::Known);
        assert_eq!((reachable.lost(at(0)), reachable.lost(at(0))), (Change::New, Change::Known));
        assert_eq!([999, 1_000, 1_500, 2_000].map(|millis| reachable.is_due(at(millis))), [false, true, false, true]);
        assert_eq!(reachable.answered(), Change::New);
        assert!(!reachable.is_due(at(9_000)));
    }
}
