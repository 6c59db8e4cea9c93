//! What the main loop tells the records of jobs. Without records it tells nothing.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::done::Done;
use super::pipeline::{Delivery, Pipeline};
use super::recorder::Recorder;
use super::throttle::Throttle;
use super::writer;
use crate::model::Event;

/// The records, and what writes them until this is dropped.
pub(super) struct Bookkeeping {
    recorder: Option<Recorder>,
    has_transactions: bool,
    _writer: JoinSet<()>,
}

impl Bookkeeping {
    pub(super) fn new(pipeline: &Arc<Pipeline>, throttle: &Throttle) -> Self {
        let recorder = Recorder::new(pipeline);
        let mut writer = JoinSet::new();
        if let Some(recorder) = &recorder {
            writer.spawn(writer::run(recorder.clone(), throttle.clone()));
        }
        let has_transactions = matches!(pipeline.delivery, Delivery::ExactlyOnce { .. });
        Self { recorder, has_transactions, _writer: writer }
    }

    /// What jobs tell. `None` if none has a record.
    pub(super) fn recorder(&self) -> Option<Recorder> {
        self.recorder.clone()
    }

    /// Partitions were assigned.
    pub(super) fn assigned(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.ask_from_the_start();
        }
    }

    /// The first event of a partition since its assignment. Where events are settled in transactions, what was settling before
    /// it is over: the group would not begin here otherwise.
    pub(super) fn begins_at(&self, event: &Event) {
        if let Some(recorder) = self.recorder.as_ref().filter(|_| self.has_transactions) {
            recorder.begins_at(event.id.partition.clone(), event.id.position);
        }
    }

    /// An event waits for its turn.
    pub(super) fn queued(&self, event: &Event) {
        if let Some(recorder) = &self.recorder {
            recorder.queue(event);
        }
    }

    /// An event that waited is left to another owner.
    pub(super) fn left(&self, event: &Event) {
        if let Some(recorder) = &self.recorder {
            recorder.forget(event);
        }
    }

    /// The transaction of a job is committed.
    pub(super) fn committed(&self, done: &mut Done) {
        if let Some(recorder) = &self.recorder
            && let Some(note) = done.committed(recorder.now())
        {
            recorder.note_end(note);
        }
    }

    /// Whether everything is written that had to be.
    pub(super) fn is_quiet(&self) -> bool {
        self.recorder.as_ref().is_none_or(Recorder::is_quiet)
    }

    /// Waits until that may have changed; forever without records. Cancel-safe.
    pub(super) async fn quiet(&self) {
        match &self.recorder {
            Some(recorder) => recorder.quiet().await,
            None => std::future::pending().await,
        }
    }
}
