//! How jobs have ended lately. Pure: time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// How many spans are remembered,
const SPANS: usize = 30;
/// and how long each is.
const SPAN: Duration = Duration::from_secs(10);

/// How jobs have ended in the last five minutes, in spans of ten seconds.
#[derive(Debug)]
pub(super) struct Window {
    begun: Instant,
    /// The number of the newest span, counted from the beginning.
    newest: u64,
    spans: [Ends; SPANS],
}

/// How many jobs ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    /// With records in the sink.
    pub emitted: u64,
    /// In the dead letters.
    pub dead_lettered: u64,
}

/// How a job ended, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Emitted,
    DeadLettered,
}

impl Window {
    /// Over how long it looks back at most.
    pub(super) const LENGTH: Duration = Duration::from_secs(SPAN.as_secs() * SPANS as u64);

    pub(super) fn new(now: Instant) -> Self {
        Self { begun: now, newest: 0, spans: [Ends::default(); SPANS] }
    }

    pub(super) fn note(&mut self, ended: Ended, now: Instant) {
        self.forget(now);
        let span = &mut self.spans[index(self.newest)];
        match ended {
            Ended::Emitted => span.emitted += 1,
            Ended::DeadLettered => span.dead_lettered += 1,
        }
    }

    /// The sum, and over how long it is.
    pub(super) fn sum(&mut self, now: Instant) -> (Ends, Duration) {
        self.forget(now);
        let sum = self.spans.iter().fold(Ends::default(), |sum, span| Ends {
            emitted: sum.emitted + span.emitted,
            dead_lettered: sum.dead_lettered + span.dead_lettered,
        });
        (sum, now.saturating_duration_since(self.begun).min(Self::LENGTH))
    }

    /// Empties the spans that have come round again.
    fn forget(&mut self, now: Instant) {
        let current = now.saturating_duration_since(self.begun).as_secs() / SPAN.as_secs();
        for span in (self.newest + 1..=current).take(SPANS) {
            self.spans[index(span)] = Ends::default();
        }
        self.newest = self.newest.max(current);
    }
}

fn index(span: u64) -> usize {
    (span % SPANS as u64) as usize
}

impl Ends {
    /// The part that ended with records in the sink. `None` if none ended.
    #[must_use]
    pub fn success_rate(self) -> Option<f64> {
        let all = self.emitted + self.dead_lettered;
        (all > 0).then(|| self.emitted as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_five_minutes_count() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut window = Window::new(begun);
        assert_eq!(window.sum(at(0)).0.success_rate(), None);
        window.note(Ended::DeadLettered, at(1));
        for second in [1, 9, 100] {
            window.note(Ended::Emitted, at(second));
        }
        assert_eq!(window.sum(at(200)), (Ends { emitted: 3, dead_lettered: 1 }, Duration::from_secs(200)));
        assert_eq!(window.sum(at(200)).0.success_rate(), Some(0.75));
        assert_eq!(window.sum(at(305)), (Ends { emitted: 1, dead_lettered: 0 }, Window::LENGTH));
        assert_eq!(window.sum(at(401)).0, Ends::default());
        window.note(Ended::Emitted, at(100_000));
        assert_eq!(window.sum(at(100_000)).0, Ends { emitted: 1, dead_lettered: 0 });
    }
}
