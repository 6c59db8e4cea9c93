//! What happens to the samples of a run, noted as it happens.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_core::model::{JobId, Outcome, Timestamp};
use gristmill_core::ports::{Call, End, FlowEvent, Observer, StageError};
use tokio::sync::watch;

use super::transcript::{Came, Ended, Path, Step};

/// Notes every step of every job of the run that was announced last. A lock, because stages are called side by side; it is
/// held only while something is noted.
#[derive(Default)]
pub(super) struct Trace {
    notes: Mutex<Notes>,
    /// How many jobs of the run have ended.
    ended: watch::Sender<usize>,
}

#[derive(Default)]
struct Notes {
    /// The time of the records of the run, which tells its jobs from those of an earlier one that are still under way.
    run: Option<Timestamp>,
    /// The sample of each job.
    jobs: HashMap<JobId, String>,
    paths: HashMap<String, Path>,
    /// Why no events are taken for now.
    waits_for: Option<String>,
}

impl Trace {
    /// Forgets the last run and notes that of records with this time.
    pub(super) fn begin(&self, run: Timestamp) {
        *self.notes() = Notes { run: Some(run), ..Notes::default() };
        self.ended.send_replace(0);
    }

    /// Returns when this many jobs have ended.
    pub(super) async fn ended(&self, jobs: usize) {
        // The sender lives in `self`.
        let _ = self.ended.subscribe().wait_for(|ended| *ended >= jobs).await;
    }

    /// Why nothing goes on, if that is so.
    pub(super) fn waits_for(&self) -> Option<String> {
        self.notes().waits_for.clone()
    }

    /// The way of a sample so far.
    pub(super) fn take(&self, sample: &str) -> Path {
        self.notes().paths.remove(sample).unwrap_or_default()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn path(&mut self, job: &JobId) -> Option<&mut Path> {
        let sample = self.jobs.get(job)?;
        Some(self.paths.entry(sample.clone()).or_default())
    }
}

impl Observer for Trace {
    fn observe(&self, event: &FlowEvent<'_>) {
        match event {
            FlowEvent::JobStarted { job, event } => {
                let mut notes = self.notes();
                let sample = event.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned());
                if let Some(sample) = sample.filter(|_| notes.run == Some(event.timestamp)) {
                    // An event that is delivered again begins anew.
                    notes.paths.insert(sample.clone(), Path::default());
                    notes.jobs.insert((*job).clone(), sample);
                }
            }
            FlowEvent::Attempt { call, stage, elapsed, result } => {
                if let Some(path) = self.notes().path(&call.job) {
                    path.steps.push(step(call, stage, *elapsed, result));
                }
            }
            FlowEvent::JobEnded { job, elapsed, end, .. } => {
                let mut notes = self.notes();
                let Some(path) = notes.path(job) else { return };
                path.end = Some(ended(end));
                path.took = *elapsed;
                drop(notes);
                self.ended.send_modify(|ended| *ended += 1);
            }
            FlowEvent::Paused { why, .. } => self.notes().waits_for = Some(why.to_string()),
            FlowEvent::Resumed { .. } => self.notes().waits_for = None,
            _ => {}
        }
    }
}

fn step(call: &Call, stage: &str, took: Duration, result: &Result<Outcome, StageError>) -> Step {
    let item = call.item.id.as_str();
    let route = item.strip_prefix(call.document.as_str()).unwrap_or(item).trim_start_matches('/');
    let result = match result {
        Ok(Outcome::Emit(outputs)) => Came::Emitted(outputs.clone()),
        Ok(Outcome::Drop(code)) => Came::Dropped(code.clone()),
        Ok(Outcome::Reject(failure)) => Came::Rejected(failure.to_string()),
        Err(error) => Came::Failed(error.to_string()),
    };
    Step { item: route.to_owned(), stage: stage.to_owned(), attempt: call.attempt, took, result }
}

fn ended(end: &End<'_>) -> Ended {
    match end {
        End::Emitted(records) => Ended::Emitted(*records),
        End::Deleted(tombstones) => Ended::Deleted(*tombstones),
        End::Dropped(code) => Ended::Dropped((*code).to_owned()),
        End::DeadLettered(failed) => Ended::DeadLettered(failed.failure.to_string()),
    }
}
