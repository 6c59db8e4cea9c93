//! The jobs running their stages, each in its own task.

use std::collections::HashMap;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::done::Done;
use super::error::FlowError;
use super::execute::{self, Start};
use super::order::Sequence;
use crate::model::{EventId, Generation, Partition, Size};

/// A job running its stages.
pub(super) struct Running {
    pub(super) event: EventId,
    pub(super) generation: Generation,
    pub(super) bytes: usize,
    pub(super) sequence: Option<Sequence>,
    handle: AbortHandle,
}

/// A job whose task has ended, and its result unless it was aborted.
pub(super) struct Ended {
    pub(super) job: Running,
    pub(super) done: Option<Box<Done>>,
}

/// All jobs running their stages.
#[derive(Default)]
pub(super) struct Jobs {
    tasks: JoinSet<Result<Box<Done>, FlowError>>,
    running: HashMap<Id, Running>,
}

impl Jobs {
    /// Starts the job of an event.
    pub(super) fn start(&mut self, start: Start, sequence: Option<Sequence>) {
        let (event, generation, bytes) = (start.event.id.clone(), start.event.generation, start.event.size());
        // Boxed because a task is moved several times before it runs.
        let handle = self.tasks.spawn(Box::pin(execute::job(start)));
        self.running.insert(handle.id(), Running { event, generation, bytes, sequence, handle });
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for the next job to end; forever if none runs. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Ended>, FlowError> {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.ended(ended),
            None => std::future::pending().await,
        }
    }

    /// Another job that has already ended, without waiting.
    pub(super) fn ended_by_now(&mut self) -> Result<Option<Ended>, FlowError> {
        match self.tasks.try_join_next_with_id() {
            Some(ended) => self.ended(ended),
            None => Ok(None),
        }
    }

    fn ended(
        &mut self,
        joined: Result<(Id, Result<Box<Done>, FlowError>), JoinError>,
    ) -> Result<Option<Ended>, FlowError> {
        let (id, done) = match joined {
            Ok((id, done)) => (id, Some(done?)),
            Err(aborted) if aborted.is_cancelled() => (aborted.id(), None),
            Err(panicked) => return Err(FlowError::Panic(panicked)),
        };
        Ok(self.running.remove(&id).map(|job| Ended { job, done }))
    }

    /// Aborts the jobs of a partition.
    pub(super) fn abort(&self, partition: &Partition) {
        for job in self.running.values().filter(|job| job.event.partition == *partition) {
            job.handle.abort();
        }
    }

    /// Aborts all jobs.
    pub(super) fn abort_all(&mut self) {
        self.tasks.abort_all();
    }
}
