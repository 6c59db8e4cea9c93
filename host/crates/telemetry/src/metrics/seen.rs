//! What is known of a pipeline at this moment from what it has told: whether it was assigned anything, how far behind it is,
//! what it waits for. Pure: time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_core::flow::{Intake, Status};
use gristmill_core::model::Partition;
use gristmill_core::ports::{Notice, PauseReason, Reach, StoreOutcome};
use tokio::time::Instant;

/// A pause that is told again within this time has not ended in between. The flow tells one that goes on every 30 s, and the
/// end of some not at all.
const GOES_ON: Duration = Duration::from_secs(65);
/// A store that failed is asked again within 30 s. If it was not, nobody waits for it any more.
const ASKED_AGAIN: Duration = Duration::from_secs(60);

/// What a pipeline has told, as far as it still holds.
#[derive(Debug, Default)]
pub(super) struct State {
    /// How many partitions there are in all, since the first assignment.
    all: Option<usize>,
    behind: BTreeMap<Partition, Behind>,
    pauses: Vec<Told>,
    lost: Option<(Instant, String)>,
    failing: Option<Failing>,
    /// When the source last said that it turns.
    turned: Option<Instant>,
    ahead: Option<Ahead>,
}

/// How far behind the group is in a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    /// As the broker counts.
    pub lag: Option<u64>,
    /// Without what no consumer is given.
    pub backlog: Option<u64>,
}

/// What the source has read and the pipeline has not taken yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Records.
    pub records: u64,
    /// Their keys, values and headers.
    pub bytes: u64,
}

#[derive(Debug)]
struct Told {
    why: PauseReason,
    since: Instant,
    at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Instant,
    last: Instant,
}

/// Why no events are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The reason.
    pub why: PauseReason,
    /// How long this has been so.
    pub since: Duration,
    /// How much longer it lasts; `None` if that is until an operator resumes.
    pub left: Option<Duration>,
}

/// Whether a pause was known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    New,
    GoesOn,
}

impl State {
    pub(super) fn assigned(&mut self, all: usize) {
        self.all = Some(all);
    }

    pub(super) fn revoked(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.behind.remove(partition);
        }
    }

    pub(super) fn lag(&mut self, partition: &Partition, records: u64) {
        self.behind.entry(partition.clone()).or_default().lag = Some(records);
    }

    pub(super) fn notice(&mut self, notice: &Notice, now: Instant) {
        match notice {
            // Counted, and nothing that holds.
            Notice::Commit(_) | Notice::Irregular { .. } => {}
            Notice::Turn => self.turned = Some(now),
            Notice::ReadAhead { records, bytes } => self.ahead = Some(Ahead { records: *records, bytes: *bytes }),
            Notice::Broker(Reach::Back) => self.lost = None,
            Notice::Broker(Reach::Lost(why)) => {
                let since = self.lost.as_ref().map_or(now, |(since, _)| *since);
                self.lost = Some((since, why.clone()));
            }
            Notice::Backlog { partition, records } => {
                self.behind.entry(partition.clone()).or_default().backlog = Some(*records);
            }
        }
    }

    pub(super) fn paused(&mut self, why: &PauseReason, now: Instant) -> News {
        match self.pauses.iter_mut().find(|told| is_same(&told.why, why)) {
            Some(told) => {
                let is_new = !is_told_to_end(why) && now.duration_since(told.at) > GOES_ON;
                *told = Told { why: why.clone(), since: if is_new { now } else { told.since }, at: now };
                if is_new { News::New } else { News::GoesOn }
            }
            None => {
                self.pauses.push(Told { why: why.clone(), since: now, at: now });
                News::New
            }
        }
    }

    pub(super) fn resumed(&mut self, why: &PauseReason) {
        self.pauses.retain(|told| !is_same(&told.why, why));
    }

    pub(super) fn store(&mut self, outcome: StoreOutcome, now: Instant) {
        match outcome {
            StoreOutcome::Answered => {
                if self.failing.take().is_some() {
                    self.resumed(&PauseReason::Store(String::new()));
                }
            }
            StoreOutcome::Transient | StoreOutcome::Broken => {
                let since = self.failing.map_or(now, |failing| failing.since);
                self.failing = Some(Failing { since, last: now });
            }
        }
    }

    /// How many partitions there are in all; `None` before the first assignment.
    pub(super) fn all(&self) -> Option<usize> {
        self.all
    }

    pub(super) fn behind(&self) -> BTreeMap<Partition, Behind> {
        self.behind.clone()
    }

    /// For how long the broker has been lost, and why.
    pub(super) fn lost(&self, now: Instant) -> Option<(Duration, String)> {
        self.lost.as_ref().map(|(since, why)| (now.duration_since(*since), why.clone()))
    }

    /// How long ago the source said that it turns; `None` if it never has.
    pub(super) fn silent(&self, now: Instant) -> Option<Duration> {
        self.turned.map(|turned| now.duration_since(turned))
    }

    /// What was read ahead; `None` if that was never told.
    pub(super) fn ahead(&self) -> Option<Ahead> {
        self.ahead
    }

    /// For how long the store has not answered.
    pub(super) fn failing(&self, now: Instant) -> Option<Duration> {
        let failing = self.failing.filter(|failing| now.duration_since(failing.last) < ASKED_AGAIN)?;
        Some(now.duration_since(failing.since))
    }

    /// Why no events are taken, as the main loop says and as was told. An outage pauses again and again, and counts as one
    /// pause until nobody waits for it any more.
    pub(super) fn pauses(&self, status: &Status, now: Instant) -> Vec<Pause> {
        let since = |why: &PauseReason| {
            let told = self.pauses.iter().find(|told| is_same(&told.why, why));
            told.map_or(Duration::ZERO, |told| now.duration_since(told.since))
        };
        let mut pauses = Vec::new();
        if status.intake == Intake::Paused {
            let why = PauseReason::Operator;
            pauses.push(Pause { since: since(&why), why, left: None });
        }
        if let Some((left, why)) = &status.throttled {
            pauses.push(Pause { since: since(why), why: why.clone(), left: Some(*left) });
        }
        for told in self.pauses.iter().filter(|told| matches!(told.why, PauseReason::Dependency { .. })) {
            if !pauses.iter().any(|pause| is_same(&pause.why, &told.why)) {
                let since = now.duration_since(told.since);
                pauses.push(Pause { why: told.why.clone(), since, left: Some(Duration::ZERO) });
            }
        }
        pauses
    }
}

/// Whether the same is waited for.
fn is_same(one: &PauseReason, other: &PauseReason) -> bool {
    match (one, other) {
        (PauseReason::Dependency { stage: one, .. }, PauseReason::Dependency { stage: other, .. }) => one == other,
        (PauseReason::Operator, PauseReason::Operator)
        | (PauseReason::Store(_), PauseReason::Store(_))
        | (PauseReason::Objects(_), PauseReason::Objects(_))
        | (PauseReason::DeadLetters(_), PauseReason::DeadLetters(_)) => true,
        _ => false,
    }
}

/// Whether the flow tells when such a pause is over.
fn is_told_to_end(why: &PauseReason) -> bool {
    match why {
        PauseReason::Operator | PauseReason::Dependency { .. } => true,
        PauseReason::Store(_) | PauseReason::DeadLetters(_) | PauseReason::Objects(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::Failure;
    use gristmill_core::ports::Queues;

    use super::*;

    fn status(intake: Intake, throttled: Option<(Duration, PauseReason)>) -> Status {
        let queues = Queues::default();
        Status {
            intake,
            throttled,
            held: 0,
            queues,
            deployment: 1,
            canary: None,
            live: Vec::new(),
            partitions: Vec::new(),
        }
    }

    fn dependency(stage: &str) -> PauseReason {
        PauseReason::Dependency { stage: stage.into(), failure: Failure::new("llm-unavailable", "down") }
    }

    fn at(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    #[test]
    fn an_outage_is_one_pause_until_nobody_waits_for_it() {
        let (begun, mut state) = (Instant::now(), State::default());
        let open = status(Intake::Open, None);
        assert_eq!(state.paused(&dependency("a"), begun), News::New);
        assert_eq!(state.paused(&dependency("a"), at(begun, 300)), News::GoesOn);
        let between_two_probes = state.pauses(&open, at(begun, 310));
        assert_eq!(between_two_probes[0].since, Duration::from_secs(310));
        assert_eq!(between_two_probes[0].left, Some(Duration::ZERO));
        let waits = status(Intake::Open, Some((Duration::from_secs(7), dependency("a"))));
        let pauses = state.pauses(&waits, at(begun, 320));
        assert_eq!((pauses.len(), pauses[0].left), (1, Some(Duration::from_secs(7))));
        state.resumed(&dependency("b"));
        assert_eq!(state.pauses(&open, at(begun, 330)).len(), 1, "another stage's end is not its own");
        state.resumed(&dependency("a"));
        assert!(state.pauses(&open, at(begun, 330)).is_empty());
    }

    #[test]
    fn an_operators_pause_lasts_until_the_main_loop_says_otherwise() {
        let (begun, mut state) = (Instant::now(), State::default());
        state.paused(&PauseReason::Operator, begun);
        let pauses = state.pauses(&status(Intake::Paused, None), at(begun, 5));
        assert_eq!((pauses[0].since, pauses[0].left), (Duration::from_secs(5), None));
        assert!(state.pauses(&status(Intake::Open, None), at(begun, 6)).is_empty());
    }

    #[test]
    fn a_store_fails_until_it_answers_or_nobody_asks_it() {
        let (begun, mut state) = (Instant::now(), State::default());
        let why = PauseReason::Store("locked".into());
        for second in [0, 1, 3] {
            state.store(StoreOutcome::Transient, at(begun, second));
        }
        state.paused(&why, begun);
        assert_eq!(state.failing(at(begun, 4)), Some(Duration::from_secs(4)));
        assert_eq!(state.failing(at(begun, 64)), None, "it was given up");
        state.store(StoreOutcome::Broken, at(begun, 70));
        assert_eq!(state.failing(at(begun, 70)), Some(Duration::from_secs(70)));
        state.store(StoreOutcome::Answered, at(begun, 71));
        assert_eq!(state.failing(at(begun, 71)), None);
        assert_eq!(state.paused(&why, at(begun, 72)), News::New, "and its pause is over");
    }

    #[test]
    fn a_pause_whose_end_is_not_told_goes_on_if_it_is_told_again() {
        let (begun, mut state) = (Instant::now(), State::default());
        let why = PauseReason::DeadLetters("no broker".into());
        let told = [0, 31, 62, 128].map(|second| state.paused(&why, at(begun, second)));
        assert_eq!(told, [News::New, News::GoesOn, News::GoesOn, News::New]);
    }

    #[test]
    fn what_is_behind_is_forgotten_with_its_partition() {
        let mut state = State::default();
        let partition = |index| Partition { topic: "in".into(), index };
        assert_eq!(state.all(), None);
        state.assigned(4);
        state.lag(&partition(0), 7);
        state.notice(&Notice::Backlog { partition: partition(0), records: 6 }, Instant::now());
        state.lag(&partition(1), 1);
        state.revoked(&[partition(1)]);
        let behind = [(partition(0), Behind { lag: Some(7), backlog: Some(6) })];
        assert_eq!((state.all(), state.behind()), (Some(4), behind.into()));
    }

    #[test]
    fn a_source_is_silent_since_it_last_turned() {
        let (begun, mut state) = (Instant::now(), State::default());
        assert_eq!((state.silent(begun), state.ahead()), (None, None), "one that has told nothing");
        for seconds in [0, 5] {
            state.notice(&Notice::Turn, at(begun, seconds));
        }
        state.notice(&Notice::ReadAhead { records: 3, bytes: 30 }, at(begun, 6));
        assert_eq!(state.silent(at(begun, 12)), Some(Duration::from_secs(7)), "nothing else counts as a turn");
        assert_eq!(state.ahead(), Some(Ahead { records: 3, bytes: 30 }));
    }

    #[test]
    fn a_broker_is_lost_from_the_first_report_on_until_it_is_back() {
        let (begun, mut state) = (Instant::now(), State::default());
        let lost = |why: &str| Notice::Broker(Reach::Lost(why.into()));
        state.notice(&lost("refused"), begun);
        state.notice(&lost("timed out"), at(begun, 5));
        assert_eq!(state.lost(at(begun, 6)), Some((Duration::from_secs(6), "timed out".into())));
        state.notice(&Notice::Broker(Reach::Back), at(begun, 7));
        assert_eq!(state.lost(at(begun, 8)), None);
    }
}
