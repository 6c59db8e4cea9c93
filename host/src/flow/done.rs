//! A job whose stages are done, on its way to being settled.

use tokio::time::Instant;

use super::replay::Origin;
use super::{FlowError, Pipeline, records};
use crate::model::{Disposition, Event, Failed, Failure, Timestamp};
use crate::ports::{End, JobState, Record, Sight};

/// What a job ended in.
#[derive(Debug)]
pub(super) enum Ending {
    /// So many outputs.
    Emitted(usize),
    /// Filtered, with a code.
    Dropped(String),
    /// In the dead letters.
    DeadLettered(Failure),
}

/// What is to be written for a job, and its event, which is settled when that is done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) origin: Origin,
    pub(super) event: Event,
    /// What is to be written; none any more once the sink has it.
    pub(super) records: Vec<Record>,
    pub(super) ending: Ending,
    begun: Instant,
    /// The time of the day when it was begun.
    begun_at: Timestamp,
}

impl Done {
    /// Makes the records of what the job ended in.
    pub(super) fn new(
        pipeline: &Pipeline,
        origin: Origin,
        event: Event,
        begun: Instant,
        begun_at: Timestamp,
        disposition: Disposition,
    ) -> Self {
        let mut done = Self { origin, event, records: Vec::new(), ending: Ending::Emitted(0), begun, begun_at };
        match disposition {
            Disposition::Emitted(ends) => {
                let record = |end| records::output(pipeline, &done.origin.job, &done.event, end);
                done.records = ends.into_iter().map(record).collect();
                done.ending = Ending::Emitted(done.records.len());
            }
            Disposition::Dropped(code) => done.ending = Ending::Dropped(code),
            Disposition::DeadLettered { stage, failed } => done.dead_letter(pipeline, stage.as_deref(), failed),
        }
        done
    }

    /// The broker will never take one of the outputs: the job goes to the dead letters.
    pub(super) fn refuse(&mut self, pipeline: &Pipeline, reason: String) {
        self.dead_letter(pipeline, None, Failed { failure: Failure::new("output-refused", reason), attempts: 1 });
    }

    fn dead_letter(&mut self, pipeline: &Pipeline, stage: Option<&str>, failed: Failed) {
        let letter = records::Letter {
            stage,
            failed: &failed,
            first_attempt: self.origin.first_attempt.map_or(self.begun_at, Timestamp),
            last_attempt: (pipeline.clock)(),
        };
        self.records = vec![letter.record(pipeline, &self.origin, &self.event)];
        self.ending = Ending::DeadLettered(failed.failure);
    }

    /// All records are acknowledged: tells those who wait for that.
    pub(super) fn acknowledged(&self, pipeline: &Pipeline) -> Result<(), FlowError> {
        let job = &self.origin.job;
        let (end, state) = match &self.ending {
            Ending::Emitted(records) => (End::Emitted(*records), JobState::Emitted),
            Ending::Dropped(code) => (End::Dropped(code), JobState::Dropped),
            Ending::DeadLettered(failure) => (End::DeadLettered(failure), JobState::DeadLettered),
        };
        if let Some(model) = &pipeline.model {
            model.forget(job);
        }
        if let Some(store) = &pipeline.store {
            store.ended(job, state).map_err(|source| FlowError::Store { job: job.clone(), source })?;
        }
        pipeline.observer.observe(&Sight::JobEnded { job, elapsed: self.begun.elapsed(), end });
        Ok(())
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.ending, Ending::DeadLettered(_))
    }
}
