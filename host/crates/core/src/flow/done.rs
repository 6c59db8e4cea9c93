//! A job whose stages are done, on its way to being settled.

use std::sync::Arc;

use tokio::time::Instant;

use super::deployment::Deployment;
use super::error::FlowError;
use super::pipeline::Pipeline;
use super::records;
use super::replay::Origin;
use crate::model::{Disposition, Event, Failed, Failure, Timestamp, TraceContext};
use crate::ports::{End, FlowEvent, JobState, Record, StoreError};

/// What a job ended in.
enum Ending {
    /// So many outputs.
    Emitted(usize),
    /// Filtered, with a code.
    Dropped(String),
    /// In the dead letters.
    DeadLettered(Failure),
}

/// When a job was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) at: Instant,
    /// The time of the day then.
    pub(super) time: Timestamp,
}

/// What is to be written for a job, and its event, which is settled when that is done.
pub(super) struct Done {
    pub(super) origin: Origin,
    pub(super) event: Event,
    /// What is to be written; none any more once the sink has it.
    pub(super) records: Vec<Record>,
    deployment: Arc<Deployment>,
    trace: TraceContext,
    ending: Ending,
    begun: Begun,
}

impl Done {
    /// A job that emitted nothing, until [`Done::end_in`] says otherwise.
    pub(super) fn new(
        deployment: Arc<Deployment>,
        origin: Origin,
        event: Event,
        trace: TraceContext,
        begun: Begun,
    ) -> Self {
        Self { origin, event, records: Vec::new(), deployment, trace, ending: Ending::Emitted(0), begun }
    }

    /// Makes the records of what the job ended in.
    pub(super) fn end_in(&mut self, pipeline: &Pipeline, disposition: Disposition) {
        match disposition {
            Disposition::Emitted(ends) => {
                let from = records::Emitted { job: &self.origin.job, event: &self.event, trace: self.trace };
                self.records = ends.into_iter().map(|end| from.record(pipeline, end)).collect();
                self.ending = Ending::Emitted(self.records.len());
            }
            Disposition::Dropped(code) => self.ending = Ending::Dropped(code),
            Disposition::DeadLettered { stage, failed } => self.dead_letter(pipeline, stage.as_deref(), failed),
        }
    }

    /// The broker will never take one of the outputs: the job goes to the dead letters.
    pub(super) fn refuse(&mut self, pipeline: &Pipeline, reason: String) {
        self.dead_letter(pipeline, None, Failed { failure: Failure::new("output-refused", reason), attempts: 1 });
    }

    fn dead_letter(&mut self, pipeline: &Pipeline, stage: Option<&str>, failed: Failed) {
        let step = stage.and_then(|stage| self.deployment.steps.iter().find(|step| &*step.name == stage));
        let dead_letter = records::DeadLetter {
            stage,
            module: step.map(|step| &*step.digest),
            failed: &failed,
            first_attempt: self.origin.first_attempt.map_or(self.begun.time, Timestamp),
            last_attempt: (pipeline.clock)(),
        };
        self.records = vec![dead_letter.record(pipeline, &self.origin, &self.event)];
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
        if let Some(model) = &self.deployment.model {
            model.forget(job);
        }
        if let Some(store) = &pipeline.store {
            match store.ended(job, state) {
                Ok(()) => {}
                // What is kept of the job is then kept for longer, which does no harm.
                Err(StoreError::Transient { reason, .. }) => tracing::debug!(%job, reason, "its end is not noted"),
                Err(source) => return Err(FlowError::Store { job: job.clone(), source }),
            }
        }
        pipeline.observer.observe(&FlowEvent::JobEnded { job, elapsed: self.begun.at.elapsed(), end });
        Ok(())
    }

    /// Whether it ended in the dead letters.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.ending, Ending::DeadLettered(_))
    }
}
