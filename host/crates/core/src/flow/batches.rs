//! Calls of a stage that are made together: those that wait for it when nothing else in their group can proceed.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::deployment::Deployment;
use super::pipeline::Pipeline;
use crate::model::Outcome;
use crate::ports::{BatchOf, Call, FlowEvent, StageError};

/// How long a call for items of several jobs may take. Jobs run together because they are short, so one of the items holds
/// up the others then; alone, each has the time that its stage gives it.
const PATIENCE: Duration = Duration::from_millis(250);

/// The result of an item that was in a call with others, and how long that took; `None` if it has to run alone.
type First = Option<(Result<Outcome, StageError>, Duration)>;

/// The calls that wait. Locked because jobs add to them and the task that runs these takes them; never both at once.
pub(super) struct Batches<'a> {
    pipeline: &'a Pipeline,
    deployment: &'a Deployment,
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    stage: usize,
    call: Call,
    answer: oneshot::Sender<(Call, First)>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, deployment: &'a Deployment) -> Self {
        Self { pipeline, deployment, waiting: Mutex::default() }
    }

    /// Waits for a call that includes this one, and gives it back with its result. A stage that takes no batches, and a
    /// call without company, is left to the caller.
    pub(super) async fn join(&self, stage: usize, call: Call) -> (Call, First) {
        if self.deployment.steps[stage].stage.batching().most == 1 {
            return (call, None);
        }
        let (answer, answered) = oneshot::channel();
        self.lock().push(Waiting { stage, call, answer });
        match answered.await {
            Ok(answer) => answer,
            // What answers is dropped only together with us.
            Err(_) => std::future::pending().await,
        }
    }

    /// What makes the calls.
    pub(super) fn calls(&'a self) -> Calls<'a> {
        Calls { batches: self, running: FuturesUnordered::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all that wait, in as few batches as the stages allow.
    fn take(&self) -> Vec<Vec<Waiting>> {
        let waiting = std::mem::take(&mut *self.lock());
        let mut batches: Vec<Vec<Waiting>> = Vec::new();
        for new in waiting {
            let batching = self.deployment.steps[new.stage].stage.batching();
            let fits = |batch: &&mut Vec<Waiting>| {
                batch.len() < batching.most
                    && batch.first().is_some_and(|first| {
                        first.stage == new.stage && (batching.of == BatchOf::Jobs || first.call.job == new.call.job)
                    })
            };
            match batches.iter_mut().find(fits) {
                Some(batch) => batch.push(new),
                None => batches.push(vec![new]),
            }
        }
        batches
    }

    async fn call(&self, batch: Vec<Waiting>) {
        let Some(first) = batch.first() else { return };
        let step = &self.deployment.steps[first.stage];
        let (mut calls, mut answers) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for Waiting { call, answer, .. } in batch {
            calls.push(call);
            answers.push(answer);
        }
        let is_of_one_job = calls.iter().all(|call| call.job == calls[0].job);
        let begun = Instant::now();
        let results = match (calls.len(), is_of_one_job) {
            (1, _) => None,
            (_, true) => step.stage.run_batch(&calls).await,
            (_, false) => tokio::time::timeout(PATIENCE, step.stage.run_batch(&calls)).await.ok().flatten(),
        };
        let elapsed = begun.elapsed();
        let results = results.filter(|results| results.len() == calls.len());
        let mut results = results.map(Vec::into_iter);
        for (call, answer) in calls.into_iter().zip(answers) {
            let result = results.as_mut().and_then(Iterator::next);
            if let Some(result) = &result {
                let told = FlowEvent::Attempt { call: &call, stage: &step.name, elapsed, result };
                self.pipeline.observer.observe(&told);
            }
            // A job that has failed meanwhile waits for nothing.
            let _ = answer.send((call, result.map(|result| (result, elapsed))));
        }
    }
}

/// The calls that run.
pub(super) struct Calls<'a> {
    batches: &'a Batches<'a>,
    running: FuturesUnordered<BoxFuture<'a, ()>>,
}

impl Calls<'_> {
    /// Makes the calls that wait, and returns when one has been answered; waits forever if there is none. To be polled
    /// after the jobs, by the same task: then whatever can wait together does. Cancel-safe.
    pub(super) async fn next(&mut self) {
        poll_fn(|context| {
            // At every poll: jobs that were polled before may have come here just now.
            let batches = self.batches;
            for batch in batches.take() {
                self.running.push(Box::pin(batches.call(batch)));
            }
            match self.running.poll_next_unpin(context) {
                Poll::Ready(Some(())) => Poll::Ready(()),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await;
    }
}
