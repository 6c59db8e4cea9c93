//! When a message is tried again.

use std::time::Duration;

use gristmill_core::model::Timestamp;

/// The waits after the first tries, as Standard Webhooks recommends them; the last one is repeated.
const WAITS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(5 * 60 * 60),
    Duration::from_secs(10 * 60 * 60),
];
/// Waits are up to so much longer, so that those of one outage do not all come at once.
const JITTER: f64 = 0.2;

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a status of 200 to 299.
    Delivered(u16),
    /// With 410: the receiver wants no more.
    Gone,
    /// In another way.
    Failed {
        /// The status, if there was an answer.
        status: Option<u16>,
        /// How long the receiver wants to be left alone.
        retry_after: Option<Duration>,
        /// What went wrong.
        error: String,
    },
    /// It was not tried, and never will be.
    Pointless(String),
}

/// What a decision needs to know of a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivering {
    /// How often it was tried before.
    pub(crate) tries: u32,
    /// When the job ended.
    pub(crate) since: Timestamp,
    /// Now.
    pub(crate) now: Timestamp,
    /// How long it is tried.
    pub(crate) give_up: Duration,
    /// A random number from 0 to 1.
    pub(crate) random: f64,
}

/// When the next try is; `None` if there is none.
pub(crate) fn next(outcome: &Outcome, delivering: Delivering) -> Option<Timestamp> {
    let Outcome::Failed { retry_after, .. } = outcome else { return None };
    let Delivering { tries, since, now, give_up, random } = delivering;
    let place = usize::try_from(tries).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let wait = WAITS[place].mul_f64(1.0 + JITTER * random).max(retry_after.unwrap_or_default());
    let at = now.0.saturating_add(milliseconds(wait));
    (at.saturating_sub(since.0) <= milliseconds(give_up)).then_some(Timestamp(at))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(retry_after: Option<u64>) -> Outcome {
        Outcome::Failed { status: Some(503), retry_after: retry_after.map(Duration::from_secs), error: "x".into() }
    }

    fn at(tries: u32, now: i64) -> Delivering {
        let give_up = Duration::from_secs(24 * 60 * 60);
        Delivering { tries, since: Timestamp(0), now: Timestamp(now * 1000), give_up, random: 0.0 }
    }

    fn seconds(next: Option<Timestamp>) -> Option<i64> {
        next.map(|at| at.0 / 1000)
    }

    #[test]
    fn waits_grow_until_a_day_is_over() {
        let mut now = 0;
        let mut tries = 0;
        let mut all = vec![0];
        while let Some(next) = seconds(next(&failed(None), at(tries, now))) {
            (now, tries) = (next, tries + 1);
            all.push(now);
        }
        assert_eq!(all, [0, 5, 305, 2105, 9305, 27_305, 63_305]);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() {
        assert_eq!(seconds(next(&failed(Some(60)), at(0, 0))), Some(60));
        assert_eq!(seconds(next(&failed(Some(1)), at(0, 0))), Some(5));
        assert_eq!(next(&failed(Some(u64::MAX)), at(0, 0)), None);
    }

    #[test]
    fn waits_differ_by_a_fifth() {
        let most = Delivering { random: 1.0, ..at(1, 0) };
        assert_eq!(seconds(next(&failed(None), most)), Some(360));
    }

    #[test]
    fn what_is_delivered_or_unwanted_is_not_tried_again() {
        for outcome in [Outcome::Delivered(204), Outcome::Gone, Outcome::Pointless("x".into())] {
            assert_eq!(next(&outcome, at(0, 0)), None, "{outcome:?}");
        }
    }
}
