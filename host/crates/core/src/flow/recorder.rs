//! The records of running jobs: what the flow tells of them is kept here until it is written, and what people ask of them
//! arrives here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::entry::{Entry, Over, WaitNumber};
use super::pipeline::{Pipeline, Recording};
use super::replay::{Origin, Via};
use super::settings::Recorded;
use crate::model::{
    Event, EventId, Failure, Generation, ItemId, Job, JobId, JobNote, MomentKind, Partition, Phase, Plan, Position,
    Run, Timestamp, Waiting,
};
use crate::ports::{ActNumber, AskedToCancel, StoreError};

/// Most cancellations of jobs that do not run here are of jobs that never will. They are asked for again with each
/// assignment, so no more than these are kept.
const MOST_UNMATCHED: usize = 10_000;

/// An event under one assignment: an aborted job and the one after it are two.
type Place = (EventId, Generation);

/// Shared by the main loop, the jobs and what writes. One lock, held for no longer than a change takes.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Shared>);

struct Shared {
    pipeline: Arc<Pipeline>,
    recording: Recording,
    state: Mutex<State>,
    /// Something is to be written now, or the first job has begun.
    woken: Notify,
    /// Everything that had to be written is.
    quiet: Notify,
}

#[derive(Default)]
struct State {
    jobs: HashMap<Place, Entry>,
    ends: Vec<End>,
    /// Where partitions begin, of which settling jobs are to be ended.
    begun: Vec<(Partition, Position)>,
    /// How many ends are being written.
    writing: usize,
    /// Cancellations of jobs that do not run here yet.
    asked: HashSet<(JobId, Run)>,
    /// The last act that was heard of.
    heard: ActNumber,
    /// Why nothing can be written any more.
    broken: Option<StoreError>,
}

/// The end of a job that is to be written, and who waits for that.
pub(super) struct End {
    pub(super) note: JobNote,
    pub(super) written: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Recorder {
    /// `None` if nobody can ask for records.
    pub(super) fn new(pipeline: &Arc<Pipeline>) -> Option<Self> {
        let recording = pipeline.recording.clone()?;
        let (woken, quiet) = (Notify::new(), Notify::new());
        let (pipeline, state) = (Arc::clone(pipeline), Mutex::default());
        Some(Self(Arc::new(Shared { pipeline, recording, state, woken, quiet })))
    }

    /// Where records are.
    pub(super) fn recording(&self) -> &Recording {
        &self.0.recording
    }

    /// The wall clock.
    pub(super) fn now(&self) -> Timestamp {
        (self.0.pipeline.clock)()
    }

    /// Follows a job that begins. `None` if it is one that has no record.
    pub(super) fn follow(&self, origin: &Origin, event: &Event) -> Option<Followed> {
        if self.0.recording.which == Recorded::Submitted && origin.via == Via::Topic {
            return None;
        }
        let place = (event.id.clone(), event.generation);
        let mut entry = Entry::new(origin, event);
        let mut state = self.state();
        if let Some(queued) = state.jobs.remove(&place) {
            entry.cancel = queued.cancel;
        }
        if !state.asked.is_empty() && state.asked.remove(&(entry.job.clone(), entry.run)) {
            entry.cancel.cancel();
        }
        if state.jobs.is_empty() {
            self.0.woken.notify_one();
        }
        let followed = Followed { recorder: self.clone(), place: place.clone(), cancel: entry.cancel.clone() };
        state.jobs.insert(place, entry);
        Some(followed)
    }

    /// An event waits for another job of its sequence. Not told of an event that names a job or a dead letter: whether it is
    /// that job's is not known before its turn.
    pub(super) fn queue(&self, event: &Event) {
        if self.0.recording.which == Recorded::Submitted || Origin::is_named(event) {
            return;
        }
        let mut entry = Entry::new(&Origin::new(event, &self.0.pipeline.name), event);
        entry.waits(Waiting { why: "another event with its key or partition comes first".into(), until: None });
        let mut state = self.state();
        if state.jobs.is_empty() {
            self.0.woken.notify_one();
        }
        state.jobs.insert((event.id.clone(), event.generation), entry);
    }

    /// An event that waited is left to another owner.
    pub(super) fn forget(&self, event: &Event) {
        self.state().jobs.remove(&(event.id.clone(), event.generation));
    }

    /// The first event of a partition since its assignment: what is settling before it is over.
    pub(super) fn begins_at(&self, partition: Partition, position: Position) {
        self.state().begun.push((partition, position));
        self.0.woken.notify_one();
    }

    /// Partitions were assigned: jobs may come here that were asked to be cancelled elsewhere.
    pub(super) fn ask_from_the_start(&self) {
        self.state().heard = ActNumber::default();
    }

    /// Writes the end of a job, and returns when it is written. If the call is dropped, it might still be.
    pub(super) async fn write_end(&self, note: JobNote) -> Result<(), StoreError> {
        let (written, answer) = oneshot::channel();
        {
            let mut state = self.state();
            if let Some(broken) = &state.broken {
                return Err(broken.clone());
            }
            state.ends.push(End { note, written: Some(written) });
        }
        self.0.woken.notify_one();
        let ended = || StoreError::Broken { store: "of records".into(), reason: "what writes has ended".into() };
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Writes the end of a job without waiting: its event is settled already.
    pub(super) fn note_end(&self, note: JobNote) {
        self.state().ends.push(End { note, written: None });
        self.0.woken.notify_one();
    }

    /// Whether everything is written that had to be.
    pub(super) fn is_quiet(&self) -> bool {
        let state = self.state();
        state.ends.is_empty() && state.begun.is_empty() && state.writing == 0
    }

    /// Waits until that may have changed. Cancel-safe. For one caller.
    pub(super) async fn quiet(&self) {
        self.0.quiet.notified().await;
    }

    /// Waits until something is to be written, or the first job has begun. Cancel-safe. For one caller.
    pub(super) async fn woken(&self) {
        self.0.woken.notified().await;
    }

    /// Whether there are jobs to be told of.
    pub(super) fn is_following(&self) -> bool {
        !self.state().jobs.is_empty()
    }

    /// Where partitions begin, since the last call.
    pub(super) fn take_begun(&self) -> Vec<(Partition, Position)> {
        let mut state = self.state();
        let begun = std::mem::take(&mut state.begun);
        state.writing = begun.len();
        begun
    }

    /// The ends that are to be written, at most so many.
    pub(super) fn take_ends(&self, most: usize) -> Vec<End> {
        let mut state = self.state();
        let count = state.ends.len().min(most);
        state.writing = count;
        state.ends.drain(..count).collect()
    }

    /// What was taken is written, or cannot be.
    pub(super) fn wrote(&self, result: Result<(), &StoreError>) {
        let mut state = self.state();
        state.writing = 0;
        if let Err(broken) = result {
            state.broken = Some(broken.clone());
        }
        self.0.quiet.notify_one();
    }

    /// Notes of all jobs of which there is news. Of younger jobs nothing is told: most of them end first, and their end is all
    /// that is written then.
    pub(super) fn take_news(&self, youngest: Duration) -> Vec<JobNote> {
        let (now, pipeline) = (self.now(), &self.0.pipeline);
        let mut state = self.state();
        let news = |entry: &mut Entry| {
            entry.called(pipeline.take_calls(&entry.job));
            entry.news(now, pipeline.spent(&entry.job))
        };
        state.jobs.values_mut().filter(|entry| entry.is_older(youngest)).filter_map(news).collect()
    }

    /// The last act that was heard of.
    pub(super) fn heard(&self) -> ActNumber {
        self.state().heard
    }

    /// These jobs were asked to be cancelled, after that act.
    pub(super) fn hear(&self, after: ActNumber, asked: Vec<AskedToCancel>) {
        let mut state = self.state();
        let state = &mut *state;
        for AskedToCancel { number, job, run } in asked {
            // Not if partitions were assigned meanwhile: then all are asked for again.
            if state.heard >= after {
                state.heard = state.heard.max(number);
            }
            match state.jobs.values().find(|entry| entry.is(&job, run)) {
                Some(entry) => entry.cancel.cancel(),
                None => {
                    if state.asked.len() >= MOST_UNMATCHED {
                        state.asked.clear();
                    }
                    state.asked.insert((job, run));
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics midway through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that is followed, until this is dropped.
pub(super) struct Followed {
    recorder: Recorder,
    place: Place,
    cancel: CancellationToken,
}

impl Followed {
    /// Waits until somebody asks for the end of the job. Cancel-safe.
    pub(super) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Tells how far the job is.
    pub(super) fn progress(&self, plan: &Arc<Plan>, job: &Job) {
        self.change(|entry| entry.progress(plan, job.counts()));
    }

    pub(super) fn call_begins(&self) {
        self.change(Entry::call_begins);
    }

    pub(super) fn call_ends(&self) {
        self.change(Entry::call_ends);
    }

    /// Tells of an attempt that counts as one.
    pub(super) fn attempted(
        &self,
        stage: &str,
        item: &ItemId,
        number: u32,
        elapsed: Duration,
        failure: Option<&Failure>,
    ) {
        let now = self.recorder.now();
        self.change(|entry| {
            entry.attempted(failure.cloned());
            let what = MomentKind::Attempt(number, failure.cloned());
            entry.happened(now, stage, item.clone(), milliseconds(elapsed), what);
        });
    }

    /// Tells of a stage that was not run, because its outcome was kept.
    pub(super) fn restored(&self, stage: &str, item: &ItemId) {
        let now = self.recorder.now();
        self.change(|entry| entry.happened(now, stage, item.clone(), 0, MomentKind::Restored));
    }

    /// Tells that the job waits, until what is returned is dropped.
    pub(super) fn waits(&self, why: String, wait: Option<Duration>) -> Waits<'_> {
        let until = wait.map(|wait| Timestamp(self.recorder.now().0.saturating_add_unsigned(milliseconds(wait))));
        let mut number = WaitNumber::default();
        self.change(|entry| number = entry.waits(Waiting { why, until }));
        Waits { followed: self, number }
    }

    /// The note of the end; nothing is told of the job after it.
    pub(super) fn end(self, phase: Phase, over: Over) -> Option<JobNote> {
        let pipeline = &self.recorder.0.pipeline;
        let mut entry = self.recorder.state().jobs.remove(&self.place)?;
        entry.called(pipeline.take_calls(&entry.job));
        let spent = pipeline.spent(&entry.job);
        Some(entry.end(phase, over, self.recorder.now(), spent))
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.recorder.state().jobs.get_mut(&self.place) {
            change(entry);
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.recorder.state().jobs.remove(&self.place);
    }
}

/// A wait of a job.
pub(super) struct Waits<'a> {
    followed: &'a Followed,
    number: WaitNumber,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.followed.change(|entry| entry.goes_on(self.number));
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
