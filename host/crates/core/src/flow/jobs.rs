//! The jobs whose stages run, each a task.

use std::collections::HashMap;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::done::Done;
use super::error::FlowError;
use super::execute::{self, Start};
use super::order::Sequence;
use crate::model::{EventId, Generation, Partition, Size};

/// A job whose stages run.
pub(super) struct Running {
    pub(super) event: EventId,
    pub(super) generation: Generation,
    pub(super) bytes: usize,
    pub(super) sequence: Option<Sequence>,
    handle: AbortHandle,
}

/// A job whose task has ended, and what it has done unless it was aborted.
pub(super) struct Ended {
    pub(super) job: Running,
    pub(super) done: Option<Box<Done>>,
}

/// All jobs whose stages run.
#[derive(Default)]
pub(super) struct Jobs {
    tasks: JoinSet<Result<Box<Done>, FlowError>>,
    running: HashMap<Id, Running>,
}

impl Jobs {
    /// Starts the job of an event.
    pub(super) fn start(&mut self, start: Start, sequence: Option<Sequence>) {
        let (event, generation, bytes) = (start.event.id.clone(), start.event.generation, start.event.size());
        // In a box, because a task is moved several times before it runs.
        let handle = self.tasks.spawn(Box::pin(execute::job(start)));
        self.running.insert(handle.id(), Running { event, generation, bytes, sequence, handle });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next job that ends; waits for one, forever if none runs. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Ended>, FlowError> {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.ended(ended),
            None => std::future::pending().await,
        }
    }

    /// Another job that has ended by now.
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

    /// Aborts what runs for a partition.
    pub(super) fn abort(&self, partition: &Partition) {
        for job in self.running.values().filter(|job| job.event.partition == *partition) {
            job.handle.abort();
        }
    }

    /// Aborts everything.
    pub(super) fn abort_all(&mut self) {
        self.tasks.abort_all();
    }
}
