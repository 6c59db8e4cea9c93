//! Whether a version on trial is as good as the one that serves. Pure: what happened and the time are passed in.
//!
//! Two things are compared, over the last minutes: the share of jobs that end in the dead letters, and the 95th percentile of
//! the time that jobs take. A version is rolled back if it is surely worse by more than what is tolerated. "Surely" is four
//! standard deviations, and not the usual two, because the question is asked every second, and one accidental yes in many
//! would be enough.

use std::collections::VecDeque;
use std::time::Duration;

use super::durations::Durations;
use super::proportion::Proportion;

/// By what a version on trial is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CanaryTerms {
    /// Nothing is decided before so many jobs of each version are over within the window.
    pub min_jobs: u32,
    /// How far back jobs count.
    pub window: Duration,
    /// By how much the share of failed jobs may be larger, 0.01 for one percentage point.
    pub more_failures: f64,
    /// How many times longer the 95th percentile may be, 1.5 for half as long again.
    pub slower: f64,
    /// By how much longer it may be in any case.
    pub slack: Duration,
    /// When it takes over by itself. `None` if somebody decides that.
    pub promote: Option<Promotion>,
}

/// When a version on trial takes over: once both are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promotion {
    /// So many of its jobs are over.
    pub jobs: u64,
    /// So much time has passed.
    pub after: Duration,
}

impl Default for CanaryTerms {
    /// 50 jobs in 10 minutes; one percentage point, half as long again, 10 ms; nobody takes over.
    fn default() -> Self {
        Self {
            min_jobs: 50,
            window: Duration::from_secs(10 * 60),
            more_failures: 0.01,
            slower: 1.5,
            slack: Duration::from_millis(10),
            promote: None,
        }
    }
}

/// The two versions of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that serves.
    Stable,
    /// The one on trial.
    Canary,
}

/// What is known of the jobs of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many are over.
    pub jobs: u64,
    /// How many of these are in the dead letters.
    pub failed: u64,
    /// The 95th percentile of what they took, at most 6% too long. `None` of none.
    pub p95: Option<Duration>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing yet.
    Continue,
    /// It takes over, for this reason.
    Promote(String),
    /// It gives way, for this reason.
    RollBack(String),
}

/// How sure one must be, in standard deviations.
const DEVIATIONS: f64 = 4.0;
/// Which part of the jobs may take longer than the percentile that is compared.
const TAIL: f64 = 0.05;
/// In how many parts the window moves on.
const SLICES: u32 = 10;

/// Watches the jobs of two versions.
#[derive(Debug)]
pub struct Judge {
    terms: CanaryTerms,
    /// The oldest first.
    slices: VecDeque<Slice>,
    /// How many jobs of the canary are over in all.
    jobs: u64,
}

#[derive(Debug, Default)]
struct Slice {
    number: u128,
    stable: Counts,
    canary: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    failed: u64,
    durations: Durations,
}

impl Judge {
    /// A judge who has seen nothing yet.
    #[must_use]
    pub fn new(terms: CanaryTerms) -> Self {
        Self { terms, slices: VecDeque::new(), jobs: 0 }
    }

    /// A job is over: at this time since the trial began, after so long. `failed` if it is in the dead letters.
    pub fn note(&mut self, side: Side, at: Duration, took: Duration, failed: bool) {
        let number = self.number(at);
        if self.slices.back().is_none_or(|slice| slice.number < number) {
            self.slices.push_back(Slice { number, ..Slice::default() });
        }
        self.forget(number);
        let Some(slice) = self.slices.back_mut() else { return };
        let counts = match side {
            Side::Stable => &mut slice.stable,
            Side::Canary => {
                self.jobs += 1;
                &mut slice.canary
            }
        };
        counts.durations.note(took);
        counts.failed += u64::from(failed);
    }

    /// What is known of the last minutes, of the one that serves and of the one on trial.
    #[must_use]
    pub fn tallies(&self) -> (Tally, Tally) {
        let (stable, canary) = self.window();
        (stable.tally(), canary.tally())
    }

    /// What is to be done at this time since the trial began, while jobs of the canary have been running for so long.
    pub fn judge(&mut self, at: Duration, running: impl Iterator<Item = Duration>) -> Judgement {
        self.forget(self.number(at));
        let (stable, canary) = self.window();
        let limit = stable.limit(&self.terms);
        // One that never ends is never over: it counts as slow as soon as it is.
        let overdue = limit.map_or(0, |limit| running.filter(|running| *running > limit).count() as u64);
        let least = u64::from(self.terms.min_jobs);
        if stable.durations.all() < least || canary.durations.all() + overdue < least {
            return Judgement::Continue;
        }
        if canary.failures().surely_above(stable.failures(), DEVIATIONS) > self.terms.more_failures {
            return Judgement::RollBack(format!(
                "{} of its last {} jobs failed, {} of {} of the version that serves",
                canary.failed,
                canary.durations.all(),
                stable.failed,
                stable.durations.all()
            ));
        }
        if let Some(limit) = limit {
            let slow =
                Proportion { cases: canary.durations.above(limit) + overdue, of: canary.durations.all() + overdue };
            if slow.interval(DEVIATIONS).0 > TAIL {
                return Judgement::RollBack(format!(
                    "{} of its last {} jobs took longer than {limit:?}, which is too much beside the 95th percentile of the \
                     version that serves",
                    slow.cases, slow.of
                ));
            }
        }
        match self.terms.promote {
            Some(Promotion { jobs, after }) if self.jobs >= jobs && at >= after => Judgement::Promote(format!(
                "{} jobs in {}s; of the last {} {} failed, of {} of the version before {}",
                self.jobs,
                at.as_secs(),
                canary.durations.all(),
                canary.failed,
                stable.durations.all(),
                stable.failed
            )),
            _ => Judgement::Continue,
        }
    }

    fn number(&self, at: Duration) -> u128 {
        at.as_nanos() / (self.terms.window / SLICES).as_nanos().max(1)
    }

    /// Forgets what is before the window.
    fn forget(&mut self, number: u128) {
        while self.slices.front().is_some_and(|slice| slice.number + u128::from(SLICES) < number) {
            self.slices.pop_front();
        }
    }

    fn window(&self) -> (Counts, Counts) {
        let (mut stable, mut canary) = (Counts::default(), Counts::default());
        for slice in &self.slices {
            stable.add(&slice.stable);
            canary.add(&slice.canary);
        }
        (stable, canary)
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.failed += other.failed;
        self.durations.add(&other.durations);
    }

    fn failures(&self) -> Proportion {
        Proportion { cases: self.failed, of: self.durations.all() }
    }

    fn tally(&self) -> Tally {
        let jobs = self.durations.all();
        let p95 = self.durations.at_rank(jobs - jobs / 20).filter(|_| jobs > 0);
        Tally { jobs, failed: self.failed, p95 }
    }

    /// What no more than 5% of the other version's jobs may exceed: the 95th percentile of this one, or rather what that is
    /// at most with the usual certainty, and what is tolerated. `None` of none.
    fn limit(&self, terms: &CanaryTerms) -> Option<Duration> {
        let percentile = 1.0 - TAIL;
        let jobs = self.durations.all();
        #[expect(clippy::cast_precision_loss, reason = "counts of jobs are far below 2^52")]
        let of = jobs as f64;
        // The rank of a percentile is binomial: the mean and two standard deviations.
        let rank = (of * percentile + 2.0 * (of * percentile * TAIL).sqrt()).ceil().min(of);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of jobs")]
        let bound = self.durations.at_rank(rank as u64)?;
        Some(bound.mul_f64(terms.slower.max(1.0)).max(bound + terms.slack))
    }
}

#[cfg(test)]
mod tests;
