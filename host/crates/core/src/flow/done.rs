//! A job whose stages are done but whose event is not settled yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::deployment::Deployment;
use super::documents::{Document, Upkeep};
use super::entry::Over;
use super::error::FlowError;
use super::pipeline::Pipeline;
use super::replay::Origin;
use super::throttle::Throttle;
use super::{outputs, payload, records};
use crate::model::{
    Disposition, Ended, Event, Failed, Failure, FailureKind, ItemId, JobEnd, JobNote, KeptOutput, ObjectName, ObjectOf,
    OutputRecord, Phase, Timestamp, TraceContext,
};
use crate::ports::{End, FlowEvent, JobState, Placed, Record, StoreError};

/// The code of a job that somebody ended.
const CANCELLED: &str = "cancelled";

/// How a job ended.
enum Ending {
    /// With this many outputs.
    Emitted(usize),
    /// With this many tombstones, as its event demands.
    Deleted(usize),
    /// Filtered out, with a code.
    Dropped(String),
    /// In the dead letters.
    DeadLettered(Failed),
    /// Somebody asked for that.
    Cancelled,
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
    /// What the event is a version of, as far as that is known.
    pub(super) document: Option<Document>,
    /// The records to write, in order; empty once they were handed to the sink.
    pub(super) records: Vec<Record>,
    /// How many of the records, at the end, are written only after the others are acknowledged: tombstones.
    afterwards: usize,
    /// The items among the records, if items are the keys of the sink.
    pub(super) placed: Vec<Placed>,
    /// To be told once the records are acknowledged.
    upkeep: Option<Box<Upkeep>>,
    deployment: Arc<Deployment>,
    trace: TraceContext,
    ending: Ending,
    begun: Begun,
    /// The first outputs. `None` if the job has no record.
    outputs: Option<Vec<OutputRecord>>,
    /// What was noted of the end, if the job has a record and a transaction is still to come.
    noted: Option<Box<JobNote>>,
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
        Self {
            origin,
            event,
            document: None,
            records: Vec::new(),
            afterwards: 0,
            placed: Vec::new(),
            upkeep: None,
            deployment,
            trace,
            ending: Ending::Emitted(0),
            begun,
            outputs: None,
            noted: None,
        }
    }

    /// The job has a record, which is to have its outputs.
    pub(super) fn describe_outputs(&mut self) {
        self.outputs = Some(Vec::new());
    }

    /// Sets how the job ended and creates its records.
    pub(super) fn end_in(&mut self, pipeline: &Pipeline, disposition: Disposition) {
        match disposition {
            Disposition::Emitted(ends) => {
                if pipeline.documents.is_some() {
                    self.placed = ends.iter().map(|end| pipeline.place(end.topic.as_ref(), &end.item.id)).collect();
                }
                if self.outputs.is_some() {
                    self.outputs = Some(outputs::describe(pipeline, self.origin.via, &ends));
                }
                let from = self.emitted();
                // Not collected: the vector of ends would be reused, and moved to fit.
                let mut records = Vec::with_capacity(ends.len());
                records.extend(ends.into_iter().map(|end| from.record(pipeline, end)));
                self.records = records;
                self.ending = Ending::Emitted(self.records.len());
            }
            Disposition::Dropped(code) => self.ending = Ending::Dropped(code),
            Disposition::DeadLettered { stage, failed } => self.dead_letter(pipeline, stage.as_deref(), failed),
        }
    }

    /// Somebody asked for the end of the job, and it has not come to it by itself.
    pub(super) fn cancel(&mut self) {
        self.records.clear();
        self.placed.clear();
        self.afterwards = 0;
        self.upkeep = None;
        self.ending = Ending::Cancelled;
    }

    /// Moves large outputs into the object store, if there is one; and others of which the record is to have the bytes, but
    /// cannot.
    pub(super) async fn offload(&mut self, pipeline: &Pipeline, throttle: &Throttle) {
        let (Some(offload), Ending::Emitted(outputs)) = (&pipeline.offload, &self.ending) else { return };
        let is_kept = outputs::are_kept(pipeline, self.origin.via);
        for (number, record) in self.records.iter_mut().take(*outputs).enumerate() {
            let Some(payload) = &record.payload else { continue };
            let described = self.outputs.as_mut().and_then(|outputs| outputs.get_mut(number)).filter(|_| is_kept);
            let is_large = payload.len() > offload.inline_max;
            if !is_large && described.as_ref().is_none_or(|described| described.kept.is_some()) {
                continue;
            }
            let what = ObjectOf::Output(self.origin.run(), number);
            let name = ObjectName::of(&pipeline.name, &self.origin.job, what);
            let stored = payload::store(offload, throttle, name, payload).await;
            if is_large {
                records::refer_to(record, &stored);
            }
            if let Some(described) = described {
                described.kept = Some(KeptOutput::Object(stored));
            }
        }
    }

    /// How the job is over.
    pub(super) fn over(&mut self) -> Over {
        let none =
            Over { ended: Ended::Completed, failure: None, dropped: None, outputs: 0, first_outputs: Vec::new() };
        match &self.ending {
            Ending::Emitted(count) => {
                Over { outputs: *count, first_outputs: self.outputs.take().unwrap_or_default(), ..none }
            }
            Ending::Deleted(_) => none,
            Ending::Dropped(code) => Over { dropped: Some(code.clone()), ..none },
            Ending::DeadLettered(failed) => {
                Over { ended: Ended::Failed, failure: Some(failed.failure.clone()), ..none }
            }
            Ending::Cancelled => Over { ended: Ended::Cancelled, ..none },
        }
    }

    /// Remembers what was noted while a transaction is still to come.
    pub(super) fn noted(&mut self, note: JobNote) {
        // Each moment is told once.
        self.noted = Some(Box::new(JobNote { moments: Vec::new(), ..note }));
    }

    /// The note that the transaction is committed, if the job has a record.
    pub(super) fn committed(&mut self, at: Timestamp) -> Option<JobNote> {
        let mut note = *self.noted.take()?;
        note.standing.phase = Phase::Ended;
        note.at = at;
        Some(note)
    }

    /// The event deletes its document. If events are the keys, one tombstone goes wherever outputs can go: which of
    /// these an earlier generation went to is not known. If items are, [`Done::replace`] adds what was written.
    pub(super) fn delete(&mut self, pipeline: &Pipeline) {
        if pipeline.documents.is_none() {
            let (from, key) = (self.emitted(), self.event.key.clone());
            let topics = self.topics(pipeline).into_iter();
            self.records = topics.map(|topic| from.tombstone(topic, key.clone(), None)).collect();
        }
        self.ending = Ending::Deleted(self.records.len());
    }

    /// Where outputs can go.
    pub(super) fn topics(&self, pipeline: &Pipeline) -> Vec<Arc<str>> {
        let topics = self.deployment.plan.ends().into_iter();
        topics.map(|topic| topic.unwrap_or_else(|| Arc::clone(&pipeline.output_topic))).collect()
    }

    /// Adds tombstones for what earlier generations of the document left in the sink.
    pub(super) fn replace(&mut self, obsolete: Vec<Placed>, upkeep: Box<Upkeep>) {
        let from = self.emitted();
        let key = |item: &ItemId| Some(item.bytes());
        let tombstone = |old: Placed| from.tombstone(old.topic, key(&old.item), Some(&old.item));
        let tombstones: Vec<Record> = obsolete.into_iter().map(tombstone).collect();
        self.afterwards = tombstones.len();
        self.records.extend(tombstones);
        self.upkeep = Some(upkeep);
        if let Ending::Deleted(count) = &mut self.ending {
            *count = self.afterwards;
        }
    }

    /// The next records to write, once those before are acknowledged.
    pub(super) fn next_to_write(&mut self) -> Option<Vec<Record>> {
        let tombstones = self.records.split_off(self.records.len() - self.afterwards);
        let now = match self.records.is_empty() {
            true => {
                self.afterwards = 0;
                tombstones
            }
            false => std::mem::replace(&mut self.records, tombstones),
        };
        (!now.is_empty()).then_some(now)
    }

    fn emitted(&self) -> records::Emitted<'_> {
        let document = self.document.as_ref();
        let modules = &self.deployment.modules;
        records::Emitted { job: &self.origin.job, event: &self.event, document, trace: self.trace, modules }
    }

    /// The broker will never accept one of the outputs, so the job is dead-lettered.
    pub(super) fn refuse(&mut self, pipeline: &Pipeline, reason: String) {
        let failure = Failure::new("output-refused", reason);
        self.dead_letter(pipeline, None, Failed { failure, attempts: 1, kind: FailureKind::Fault });
    }

    fn dead_letter(&mut self, pipeline: &Pipeline, stage: Option<&str>, failed: Failed) {
        let step = stage.and_then(|stage| self.deployment.steps.iter().find(|step| &*step.name == stage));
        let dead_letter = records::DeadLetter {
            stage,
            module: step.map(|step| &*step.digest),
            modules: &self.deployment.modules,
            failed: &failed,
            document: self.document.as_ref(),
            first_attempt: self.origin.first_attempt.map_or(self.begun.time, Timestamp),
            last_attempt: (pipeline.clock)(),
            spent: pipeline.spent(&self.origin.job),
        };
        self.records = vec![dead_letter.record(pipeline, &self.origin, &self.event)];
        self.afterwards = 0;
        self.upkeep = None;
        if let Some(noted) = &mut self.noted {
            noted.ended = Some(Ended::Failed);
            noted.told.last_error = Some(failed.failure.clone());
            (noted.told.outputs, noted.told.first_outputs) = (0, Vec::new());
        }
        self.ending = Ending::DeadLettered(failed);
    }

    /// All records are acknowledged: notifies the models, the store and the observer.
    pub(super) fn acknowledged(&self, pipeline: &Pipeline) -> Result<(), FlowError> {
        let job = &self.origin.job;
        let (end, state) = match &self.ending {
            Ending::Emitted(records) => (End::Emitted(*records), JobState::Emitted),
            Ending::Deleted(tombstones) => (End::Deleted(*tombstones), JobState::Emitted),
            Ending::Dropped(code) => (End::Dropped(code), JobState::Dropped),
            Ending::Cancelled => (End::Dropped(CANCELLED), JobState::Dropped),
            Ending::DeadLettered(failed) => (End::DeadLettered(failed), JobState::DeadLettered),
        };
        // Before the models forget it.
        let spent = pipeline.spent(job);
        if let Some(models) = &self.deployment.models {
            models.forget(job);
        }
        let noted = pipeline.store.as_ref().map_or(Ok(()), |store| store.ended(job, state));
        let finished = self.upkeep.as_ref().map_or(Ok(()), |upkeep| upkeep.finish());
        for result in [noted, finished] {
            match result {
                Ok(()) => {}
                // The data is then kept longer, which does no harm.
                Err(StoreError::Transient { reason, .. }) => {
                    tracing::debug!(%job, trace_id = %self.trace.trace_id(), reason, "its end was not recorded")
                }
                Err(source) => return Err(FlowError::Store { job: job.clone(), source }),
            }
        }
        let elapsed = self.begun.at.elapsed();
        let (event, trace) = (&self.event, self.trace);
        pipeline.observer.observe(&FlowEvent::JobEnded { job, event, trace, elapsed, end, spent });
        Ok(())
    }

    /// How the job ended, for the rate of dead letters.
    pub(super) fn end(&self) -> JobEnd {
        match &self.ending {
            Ending::DeadLettered(Failed { kind: FailureKind::Rejected, .. }) => JobEnd::Rejected,
            Ending::DeadLettered(_) => JobEnd::Fault,
            Ending::Emitted(_) | Ending::Deleted(_) | Ending::Dropped(_) | Ending::Cancelled => JobEnd::Good,
        }
    }

    /// How long ago the job began.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.at.elapsed()
    }

    /// Whether the job was dead-lettered.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.ending, Ending::DeadLettered(_))
    }
}
