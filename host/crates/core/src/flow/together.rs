//! What the jobs of a group do together: calls of stages, and of the state store.

use super::batches::{Batches, Calls};
use super::checkpoints::{Checkpoints, StoreCalls};
use super::deployment::Deployment;
use super::pipeline::Pipeline;

/// What waits to be done together.
pub(super) struct Together<'a> {
    pub(super) batches: Batches<'a>,
    /// `None` if no outcomes are kept.
    pub(super) checkpoints: Option<Checkpoints<'a>>,
}

impl<'a> Together<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, deployment: &'a Deployment) -> Self {
        let store = pipeline.store.as_deref().filter(|_| deployment.keeps_outcomes());
        Self { batches: Batches::new(pipeline, deployment), checkpoints: store.map(Checkpoints::new) }
    }

    /// What does it.
    pub(super) fn work(&'a self) -> Work<'a> {
        Work { calls: self.batches.calls(), store_calls: self.checkpoints.as_ref().map(Checkpoints::calls) }
    }
}

/// The calls that run.
pub(super) struct Work<'a> {
    calls: Calls<'a>,
    store_calls: Option<StoreCalls<'a>>,
}

impl Work<'_> {
    /// Makes the calls that wait, and returns when one has been answered; waits forever if there is none. To be polled after
    /// the jobs, by the same task: then whatever can wait together does. What is to be kept waits for stages that can still
    /// be called now. Cancel-safe.
    pub(super) async fn next(&mut self) {
        let Some(store_calls) = &mut self.store_calls else { return self.calls.next().await };
        tokio::select! {
            biased;
            () = self.calls.next() => {}
            () = store_calls.next() => {}
        }
    }
}
