//! A job whose stages are done but whose event is not settled yet.

use std::sync::Arc;

use tokio::time::Instant;

use super::deployment::Deployment;
use super::error::FlowError;
use super::pipeline::Pipeline;
use super::records;
use super::replay::Origin;
use crate::model::{Disposition, Event, Failed, Failure, Timestamp, TraceContext};
use crate::ports::{End, FlowEvent, JobState, Record, StoreError};

/// How a job ended.
enum Ending {
    /// With this many outputs.
    Emitted(usize),
    /// Filtered out, with a code.
    Dropped(String),
    /// In the dead letters.
    DeadLettered(Failure),
}

/// When a job started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) at: Instant,
    /// The wall-clock time at that moment.
    pub(super) time: Timestamp,
}

/// The records to write for a job, and its event, which is settled once they are written.
pub(super) struct Done {
    pub(super) origin: Origin,
    pub(super) event: Event,
    /// The records to write; empty once they were handed to the sink.
    pub(super) records: Vec<Record>,
    deployment: Arc<Deployment>,
    trace: TraceContext,
    ending: Ending,
    begun: Begun,
}

impl Done {
    /// A job that emitted nothing, unless [`Done::end_in`] says otherwise.
    pub(super) fn new(
        deployment: Arc<Deployment>,
        origin: Origin,
        event: Event,
        trace: TraceContext,
        begun: Begun,
    ) -> Self {
        Self { origin, event, records: Vec::new(), deployment, trace, ending: Ending::Emitted(0), begun }
    }

    /// Sets how the job ended and creates its records.
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

    /// The broker will never accept one of the outputs, so the job is dead-lettered.
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

    /// All records are acknowledged: notifies the models, the store and the observer.
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
                // The job's data is then kept longer, which does no harm.
                Err(StoreError::Transient { reason, .. }) => tracing::debug!(%job, reason, "its end was not recorded"),
                Err(source) => return Err(FlowError::Store { job: job.clone(), source }),
            }
        }
        pipeline.observer.observe(&FlowEvent::JobEnded { job, elapsed: self.begun.at.elapsed(), end });
        Ok(())
    }

    /// Whether the job was dead-lettered.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.ending, Ending::DeadLettered(_))
    }
}
