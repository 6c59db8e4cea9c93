//! How far a job is, as one value that only grows: what is stored of it never runs backwards, whoever writes it.

/// How many times a job was asked for: 1 at first, one more with each retry. Within a run nothing runs backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run(pub u32);

impl Run {
    /// The first one.
    pub const FIRST: Self = Self(1);

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a job is in its life, in the order in which it gets there. The numbers are stored: do not change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It is written down, and its event is not acknowledged by the broker.
    Accepted = 0,
    /// Its event is in the broker, and no host has taken it.
    Queued = 1,
    /// A host has taken its event.
    Running = 2,
    /// Its stages are done, and its records wait for their transaction. Shown as running.
    Settling = 3,
    /// It is over.
    Ended = 4,
}

/// How a job is over. The numbers are stored: do not change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ended {
    /// Its outputs are in the sink; or it was filtered out, and there are none.
    Completed = 0,
    /// It is in the dead letters.
    Failed = 1,
    /// Somebody asked for that.
    Cancelled = 2,
}

/// Hundredths of the way, from 0 to 100. 100 only when the job has completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Percent(u8);

impl Percent {
    /// All of it.
    pub const ALL: Self = Self(100);
    /// As much as there can be before the end.
    const MOST_BEFORE_THE_END: u8 = 99;

    /// The number, at most 100.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number.min(100))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// What the calls of the stages say, in the order of the plan. A stage counts as much as every other, and as far as the
    /// stages before it are done: they may bring it more. One that nothing has reached when all before it are done is done.
    #[must_use]
    pub fn of_stages(stages: &[StageCount]) -> Self {
        let (mut sum, mut before) = (0.0, 1.0);
        for stage in stages {
            before *= match (stage.known, stage.done) {
                (0, _) => f64::from(u8::from(before >= 1.0)),
                (known, done) => f64::from(done.min(known)) / f64::from(known),
            };
            sum += before;
        }
        let all = f64::from(u32::try_from(stages.len().max(1)).unwrap_or(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
        let percent = (100.0 * sum / all) as u8;
        Self(percent.min(Self::MOST_BEFORE_THE_END))
    }
}

/// How many calls of one stage a job needs, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageCount {
    /// Those that were decided.
    pub done: u32,
    /// Those, and those that are ready, running or being gathered.
    pub known: u32,
}

/// The stage that a job is at: the first in the plan with something left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageAt {
    /// Its name in the pipeline file.
    pub name: String,
    /// Its place, from 1.
    pub index: u32,
    /// How many stages there are.
    pub of: u32,
    /// Its items.
    pub items: StageCount,
}

/// How far a job is within a run. The order is that of the fields: the phase first. An end is last, so that two ends
/// are told apart by nothing else and the first one written stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// The phase.
    pub phase: Phase,
    /// The hundredths.
    pub percent: Percent,
    /// The place of the stage it is at, from 1; 0 before the first.
    pub stage: u32,
    /// How many of that stage's items are done.
    pub done: u32,
}

impl Standing {
    /// At the beginning of a phase.
    #[must_use]
    pub const fn at(phase: Phase) -> Self {
        Self { phase, percent: Percent(0), stage: 0, done: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(stages: &[(u32, u32)]) -> u8 {
        let stages: Vec<_> = stages.iter().map(|&(done, known)| StageCount { done, known }).collect();
        Percent::of_stages(&stages).get()
    }

    #[test]
    fn a_stage_counts_as_far_as_those_before_it_are_done() {
        assert_eq!(percent(&[(0, 1), (0, 0), (0, 0), (0, 0)]), 0);
        assert_eq!(percent(&[(1, 1), (0, 40), (0, 0), (0, 0)]), 25);
        assert_eq!(percent(&[(1, 1), (20, 40), (0, 0), (0, 0)]), 37);
        // Half of the chunks are all that the third stage can have done.
        assert_eq!(percent(&[(1, 1), (20, 40), (20, 20), (0, 0)]), 50);
        assert_eq!(percent(&[(1, 1), (40, 40), (40, 40), (0, 1)]), 75);
    }

    #[test]
    fn only_the_end_is_all_of_it() {
        assert_eq!(percent(&[(1, 1)]), 99);
        // A branch that nothing took.
        assert_eq!(percent(&[(1, 1), (0, 0)]), 99);
        assert_eq!(percent(&[]), 0);
    }

    #[test]
    fn a_later_phase_is_further_whatever_its_hundredths() {
        let running = Standing { percent: Percent::new(99), stage: 4, done: 9, ..Standing::at(Phase::Running) };
        assert!(Standing::at(Phase::Settling) > running);
        assert!(running > Standing::at(Phase::Queued));
    }
}
