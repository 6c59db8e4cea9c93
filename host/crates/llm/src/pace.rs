//! How fast an answer must come: to its first byte, from part to part, and as a whole.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait for the counts behind an answer that is whole.
const FOR_COUNTS: Duration = Duration::from_secs(2);
/// How long to wait for a connection to be done behind the last event, so that the next call can use it again. Nearly all
/// are done at once.
const FOR_CONNECTION: Duration = Duration::from_millis(5);

/// How fast the answers of a target must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Within the time for all of it: a server that is not asked to stream sends nothing while the model writes.
    Whole,
    /// In parts.
    Streamed {
        /// To the first byte.
        first_byte: Duration,
        /// Between two parts.
        idle: Duration,
    },
}

impl Pace {
    /// That of a target with these settings.
    pub(crate) fn of(stream: bool, first_byte: Duration, idle: Duration) -> Self {
        if stream { Self::Streamed { first_byte, idle } } else { Self::Whole }
    }

    /// The longest time to the first byte.
    pub(crate) fn first_byte(self) -> Duration {
        match self {
            Self::Whole => Duration::MAX,
            Self::Streamed { first_byte, .. } => first_byte,
        }
    }
}

/// How much of an answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    /// A part.
    Some,
    /// All of it; the counts may follow.
    Answer,
    /// All that matters.
    End,
}

/// The time of one call.
pub(crate) struct Clock {
    begun: Instant,
    total: Duration,
    pace: Pace,
    /// When the answer was whole. What still comes must not draw it out.
    whole: Option<Instant>,
    /// What is waited for.
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Total,
    FirstByte(Duration),
    Idle(Duration),
}

impl Clock {
    pub(crate) fn start(total: Duration, pace: Pace) -> Self {
        Self { begun: Instant::now(), total, pace, whole: None, bound: Bound::Total }
    }

    /// Until when the next part must be there.
    pub(crate) fn next(&mut self, seen: Seen) -> Instant {
        let now = Instant::now();
        let (next, bound) = match (seen, self.pace) {
            (Seen::Nothing, Pace::Streamed { first_byte, .. }) => {
                (Some(self.begun + first_byte), Bound::FirstByte(first_byte))
            }
            (Seen::Some, Pace::Streamed { idle, .. }) => (Some(now + idle), Bound::Idle(idle)),
            (Seen::Nothing | Seen::Some, Pace::Whole) => (None, Bound::Total),
            (Seen::Answer, _) => (Some(*self.whole.get_or_insert(now) + FOR_COUNTS), Bound::Total),
            (Seen::End, _) => (Some(*self.whole.get_or_insert(now) + FOR_CONNECTION), Bound::Total),
        };
        let end = self.begun + self.total;
        match next {
            Some(next) if next < end => {
                self.bound = bound;
                next
            }
            _ => {
                self.bound = Bound::Total;
                end
            }
        }
    }

    /// What was missed, for a message that begins with the target's name.
    pub(crate) fn missed(&self) -> String {
        match self.bound {
            Bound::Total => format!("gave no complete answer within {:?}", self.total),
            Bound::FirstByte(time) => {
                format!("sent nothing within {time:?}; `first_byte` of the target says how long it may take to begin")
            }
            Bound::Idle(time) => format!(
                "stopped in its answer and sent nothing for {time:?}; `idle` of the target says how long it may pause"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn each_part_has_its_time_and_the_whole_has_one() {
        let begun = Instant::now();
        let mut clock = Clock::start(seconds(100), Pace::of(true, seconds(30), seconds(10)));
        tokio::time::advance(seconds(5)).await;
        assert_eq!(clock.next(Seen::Nothing), begun + seconds(30), "the headers do not count");
        assert!(clock.missed().contains("sent nothing within 30s; `first_byte`"));
        assert_eq!(clock.next(Seen::Some), begun + seconds(15));
        assert!(clock.missed().contains("sent nothing for 10s; `idle`"));
        assert_eq!(clock.next(Seen::Answer), begun + seconds(5) + FOR_COUNTS);
        tokio::time::advance(seconds(1)).await;
        assert_eq!(clock.next(Seen::Answer), begun + seconds(5) + FOR_COUNTS, "what follows does not draw it out");
        assert_eq!(clock.next(Seen::End), begun + seconds(5) + FOR_CONNECTION);
        tokio::time::advance(seconds(89)).await;
        assert_eq!(clock.next(Seen::Some), begun + seconds(100));
        assert_eq!(clock.missed(), "gave no complete answer within 100s");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_one_piece_has_all_the_time() {
        let begun = Instant::now();
        let mut clock = Clock::start(seconds(100), Pace::of(false, seconds(30), seconds(10)));
        assert_eq!(clock.next(Seen::Nothing), begun + seconds(100));
        assert_eq!(clock.next(Seen::Some), begun + seconds(100));
        assert_eq!(clock.next(Seen::End), begun + FOR_CONNECTION, "it may stream all the same");
    }
}
