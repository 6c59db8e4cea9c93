//! What is known of one running job, and the notes that tell it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::replay::Origin;
use crate::model::{
    Ended, Event, EventId, Failure, ItemId, JobId, JobNote, MOST_MOMENTS, Moment, MomentKind, OutputRecord, Percent,
    Phase, Plan, Run, Spent, StageAt, StageCount, Stamp, Standing, Timestamp, Told, Waiting,
};
use crate::ports::ModelCall;

/// One job that is running or waits for its turn.
pub(super) struct Entry {
    pub(super) job: JobId,
    pub(super) run: Run,
    place: EventId,
    first: Stamp,
    begun: Instant,
    plan: Option<Arc<Plan>>,
    counts: Vec<StageCount>,
    /// How many calls of stages there are now, waits between their attempts included.
    calls: usize,
    waits: Vec<(WaitNumber, Waiting)>,
    last_wait: WaitNumber,
    attempts: u32,
    last_error: Option<Failure>,
    moments: Vec<Moment>,
    /// How many moments there were in all.
    happened: usize,
    /// Whether there is more to tell than the last note did.
    is_news: bool,
    /// Cancelled when somebody asks for the end of the job.
    pub(super) cancel: CancellationToken,
}

/// Tells the waits of a job apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WaitNumber(u64);

/// How a job is over.
pub(super) struct Over {
    pub(super) ended: Ended,
    pub(super) failure: Option<Failure>,
    pub(super) dropped: Option<String>,
    pub(super) outputs: usize,
    pub(super) first_outputs: Vec<OutputRecord>,
}

impl Entry {
    /// A job that has just begun, or waits for its turn.
    pub(super) fn new(origin: &Origin, event: &Event) -> Self {
        Self {
            job: origin.job.clone(),
            run: origin.run(),
            place: event.id.clone(),
            first: origin.first.clone(),
            begun: Instant::now(),
            plan: None,
            counts: Vec::new(),
            calls: 0,
            waits: Vec::new(),
            last_wait: WaitNumber::default(),
            attempts: 0,
            last_error: None,
            moments: Vec::new(),
            happened: 0,
            is_news: true,
            cancel: CancellationToken::new(),
        }
    }

    /// Whether this is that run of that job.
    pub(super) fn is(&self, job: &JobId, run: Run) -> bool {
        self.run == run && self.job == *job
    }

    /// So many calls of stages are done and known.
    pub(super) fn progress(&mut self, plan: &Arc<Plan>, counts: &[StageCount]) {
        self.plan.get_or_insert_with(|| Arc::clone(plan));
        self.counts.clear();
        self.counts.extend_from_slice(counts);
        self.is_news = true;
    }

    pub(super) fn call_begins(&mut self) {
        self.calls += 1;
    }

    pub(super) fn call_ends(&mut self) {
        self.calls -= 1;
    }

    /// An attempt of a stage ended.
    pub(super) fn attempted(&mut self, failure: Option<Failure>) {
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = failure.or(self.last_error.take());
        self.is_news = true;
    }

    /// Something belongs into the history.
    pub(super) fn happened(&mut self, at: Timestamp, stage: &str, item: ItemId, milliseconds: u64, what: MomentKind) {
        self.happened += 1;
        if self.happened <= MOST_MOMENTS {
            self.moments.push(Moment { at, run: self.run, stage: stage.to_owned(), item, milliseconds, what });
        }
        self.is_news = true;
    }

    /// Models were called.
    pub(super) fn called(&mut self, calls: Vec<ModelCall>) {
        for ModelCall { at, stage, item, alias, target, milliseconds, spent } in calls {
            let what = MomentKind::ModelCall(alias.to_string(), target.to_string(), spent);
            self.happened(at, &stage, item, milliseconds, what);
        }
    }

    /// Begins a wait.
    pub(super) fn waits(&mut self, waiting: Waiting) -> WaitNumber {
        self.last_wait.0 += 1;
        self.waits.push((self.last_wait, waiting));
        self.is_news = true;
        self.last_wait
    }

    /// Ends a wait.
    pub(super) fn goes_on(&mut self, number: WaitNumber) {
        self.waits.retain(|(other, _)| *other != number);
        self.is_news = true;
    }

    /// Whether it is older than this.
    pub(super) fn is_older(&self, than: Duration) -> bool {
        self.begun.elapsed() >= than
    }

    /// What is to be told, if that is more than the last note told.
    pub(super) fn news(&mut self, at: Timestamp, spent: Option<Spent>) -> Option<JobNote> {
        self.is_news.then(|| self.note(at, spent))
    }

    /// The note of the end. The phase says whether its transaction is still to come.
    pub(super) fn end(mut self, phase: Phase, over: Over, at: Timestamp, spent: Option<Spent>) -> JobNote {
        self.waits.clear();
        let mut note = self.note(at, spent);
        note.standing.phase = phase;
        note.ended = Some(over.ended);
        note.told.last_error = over.failure.or(note.told.last_error);
        note.told.dropped = over.dropped;
        note.told.outputs = u32::try_from(over.outputs).unwrap_or(u32::MAX);
        note.told.first_outputs = over.first_outputs;
        note
    }

    fn note(&mut self, at: Timestamp, spent: Option<Spent>) -> JobNote {
        self.is_news = false;
        let stage = self.stage();
        let (place, done) = stage.as_ref().map_or((0, 0), |stage| (stage.index, stage.items.done));
        JobNote {
            job: self.job.clone(),
            run: self.run,
            place: self.place.clone(),
            first: self.first.clone(),
            standing: Standing {
                phase: Phase::Running,
                percent: if self.counts.is_empty() { Percent::default() } else { Percent::of_stages(&self.counts) },
                stage: place,
                done,
            },
            ended: None,
            told: Told {
                stage,
                waiting: self.waiting(),
                attempts: self.attempts,
                last_error: self.last_error.clone(),
                dropped: None,
                spent: spent.unwrap_or_default(),
                outputs: 0,
                first_outputs: Vec::new(),
            },
            moments: std::mem::take(&mut self.moments),
            at,
        }
    }

    /// A job waits if all its calls do: then the one that goes on first says why.
    fn waiting(&self) -> Option<Waiting> {
        let all_wait = self.waits.len() >= self.calls;
        let waits = self.waits.iter().map(|(_, waiting)| waiting).filter(|_| all_wait);
        waits.min_by_key(|waiting| (waiting.until.is_none(), waiting.until)).cloned()
    }

    /// The first stage of the plan with something left to do; when nothing is, the last one that had something.
    fn stage(&self) -> Option<StageAt> {
        let plan = self.plan.as_ref()?;
        let is_open = |count: &StageCount| count.done < count.known;
        let first_open = self.counts.iter().position(is_open);
        let index = first_open.or_else(|| self.counts.iter().rposition(|count| count.known > 0))?;
        Some(StageAt {
            name: plan.nodes.get(index)?.name.to_string(),
            index: u32::try_from(index + 1).unwrap_or(u32::MAX),
            of: u32::try_from(plan.nodes.len()).unwrap_or(u32::MAX),
            items: *self.counts.get(index)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Generation, Partition, Position};

    fn entry() -> Entry {
        let event = Event {
            id: EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(1) },
            generation: Generation(1),
            key: None,
            payload: None,
            headers: Vec::new(),
            timestamp: Timestamp(0),
            deliveries: None,
            fault: None,
        };
        Entry::new(&Origin::new(&event, "p"), &event)
    }

    fn told(entry: &mut Entry) -> (u8, Option<(String, u32)>) {
        let note = entry.note(Timestamp(1), None);
        (note.standing.percent.get(), note.told.stage.map(|stage| (stage.name, stage.items.done)))
    }

    #[test]
    fn a_job_is_at_the_first_stage_with_something_left_to_do() {
        let plan = Arc::new(Plan::straight(&["split", "mark"]));
        let count = |done, known| StageCount { done, known };
        let mut entry = entry();
        assert_eq!(told(&mut entry), (0, None));
        entry.progress(&plan, &[count(1, 1), count(3, 4)]);
        assert_eq!(told(&mut entry), (87, Some(("mark".into(), 3))));
        entry.progress(&plan, &[count(1, 1), count(4, 4)]);
        assert_eq!(told(&mut entry), (99, Some(("mark".into(), 4))));
    }

    #[test]
    fn a_job_waits_if_all_its_calls_do_and_for_the_one_that_goes_on_first() {
        let wait = |why: &str, until| Waiting { why: why.into(), until };
        let why = |entry: &Entry| entry.waiting().map(|waiting| waiting.why);
        let mut entry = entry();
        entry.call_begins();
        entry.call_begins();
        let first = entry.waits(wait("late", Some(Timestamp(9))));
        assert_eq!(why(&entry), None, "the other one runs");
        entry.waits(wait("unknown", None));
        assert_eq!(why(&entry).as_deref(), Some("late"));
        entry.goes_on(first);
        assert_eq!(why(&entry), None);
        entry.call_ends();
        assert_eq!(why(&entry).as_deref(), Some("unknown"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_young_until_it_is_as_old_as_that() {
        let (entry, least) = (entry(), Duration::from_millis(250));
        tokio::time::advance(Duration::from_millis(249)).await;
        assert!(!entry.is_older(least));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(entry.is_older(least));
    }

    #[test]
    fn a_note_is_made_only_of_news_and_tells_each_moment_once() {
        let mut entry = entry();
        assert!(entry.news(Timestamp(1), None).is_some(), "that it runs");
        assert_eq!(entry.news(Timestamp(2), None), None);
        entry.attempted(Some(Failure::new("bad", "why")));
        let item = ItemId::root(&crate::model::DocumentId::named(b"d"));
        entry.happened(Timestamp(3), "s", item.clone(), 1, MomentKind::Restored);
        let note = entry.news(Timestamp(3), None).unwrap();
        assert_eq!((note.moments.len(), note.told.attempts), (1, 1));
        assert_eq!(note.told.last_error.unwrap().code, "bad");
        assert_eq!(entry.news(Timestamp(4), None), None);
        (0..2 * MOST_MOMENTS).for_each(|_| entry.happened(Timestamp(3), "s", item.clone(), 1, MomentKind::Restored));
        assert_eq!(entry.news(Timestamp(5), None).unwrap().moments.len(), MOST_MOMENTS - 1);
    }
}
