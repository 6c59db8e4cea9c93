//! One call of a stage, with all its attempts. Its outcome is kept if the pipeline is configured for that.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::batches::Batches;
use super::deployment::{Deployment, Step};
use super::documents::Document;
use super::error::FlowError;
use super::held::{Held, HeldItems};
use super::patience::Patience;
use super::pipeline::Pipeline;
use super::recorder::Followed;
use super::replay::Origin;
use super::throttle::Throttle;
use super::{checkpoint, gather};
use crate::model::{Event, Failed, Failure, FailureKind, Outcome, Task, TraceContext, Verdict};
use crate::ports::{Call, FlowEvent, Hold, Kept, Key, StageError, Store};

/// What all stage calls of one job share.
pub(super) struct JobContext<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) deployment: &'a Deployment,
    pub(super) throttle: &'a Throttle,
    pub(super) held: &'a HeldItems,
    pub(super) batches: &'a Batches<'a>,
    pub(super) origin: &'a Origin,
    pub(super) event: &'a Event,
    pub(super) document: &'a Document,
    pub(super) trace: TraceContext,
    /// `None` if the job has no record.
    pub(super) followed: Option<&'a Followed>,
}

impl JobContext<'_> {
    /// Runs a task, unless its outcome was kept by an earlier run of the job.
    pub(super) async fn run(&self, task: Task) -> Result<(Task, Verdict), FlowError> {
        if let Some(followed) = self.followed {
            followed.call_begins();
        }
        let ran = self.decide(task).await;
        if let Some(followed) = self.followed {
            followed.call_ends();
        }
        ran
    }

    async fn decide(&self, task: Task) -> Result<(Task, Verdict), FlowError> {
        let step = &self.deployment.steps[task.stage];
        let call = self.call(step, &task);
        let kept = self.pipeline.store.as_ref().zip(step.checkpoint);
        let Some((store, fingerprint)) = kept else {
            let verdict = self.attempts(&task, step, call).await?;
            return Ok((task, verdict));
        };
        let key = checkpoint::key(&step.name, fingerprint, call.edition, &call.item);
        if let Some(outcome) = self.restore(step, &**store, key).await? {
            if let Some(followed) = self.followed {
                followed.restored(&step.name, &call.item.id);
            }
            return Ok((task, Verdict::Decided(outcome)));
        }
        let verdict = match self.attempts(&task, step, call).await? {
            // A rejection is not kept: a replay asks the stage again, because the cause might have been fixed.
            Verdict::Decided(outcome @ (Outcome::Emit(_) | Outcome::Drop(_))) => {
                let kept = Kept::Outcome(outcome);
                match self.keep(&**store, key, &kept).await?.unwrap_or(kept) {
                    Kept::Outcome(outcome) => Verdict::Decided(outcome),
                    Kept::Answer(_) | Kept::Embedding(_) | Kept::Http(_) => return Err(mixed_up(step)),
                }
            }
            other => other,
        };
        Ok((task, verdict))
    }

    fn call(&self, step: &Step, task: &Task) -> Call {
        Call {
            job: self.origin.job.clone(),
            event: self.event.id.clone(),
            document: self.document.id.clone(),
            generation: self.document.generation,
            timestamp: self.event.timestamp,
            item: gather::item(&self.document.id, &step.name, &task.input),
            attempt: 1,
            edition: self.origin.edition(task.stage),
            trace: self.trace,
            span: self.span(),
        }
    }

    /// The span of one attempt. Drawn, because an attempt that is repeated after a crash is another one.
    fn span(&self) -> TraceContext {
        self.trace.child(|| fastrand::u64(1..))
    }

    /// The outcome that was kept under this key, if any.
    async fn restore(&self, step: &Step, store: &dyn Store, key: Key) -> Result<Option<Outcome>, FlowError> {
        match self.recall(store, key).await? {
            Some(Kept::Outcome(outcome)) => {
                let (job, stage, trace) = (&self.origin.job, &*step.name, self.trace);
                self.pipeline.observer.observe(&FlowEvent::Restored { job, stage, trace });
                Ok(Some(outcome))
            }
            Some(Kept::Answer(_) | Kept::Embedding(_) | Kept::Http(_)) => Err(mixed_up(step)),
            None => Ok(None),
        }
    }

    /// Recalls what the store has kept, retrying until the store answers.
    async fn recall(&self, store: &dyn Store, key: Key) -> Result<Option<Kept>, FlowError> {
        let mut patience = Patience::default();
        loop {
            match store.recall(&self.origin.job, key).await {
                Ok(kept) => return Ok(kept),
                Err(error) => Box::pin(patience.wait_or_stop(&self.origin.job, self.throttle, error)).await?,
            };
        }
    }

    /// Keeps something in the store, retrying until that succeeds. Returns what was already kept, if anything.
    async fn keep(&self, store: &dyn Store, key: Key, kept: &Kept) -> Result<Option<Kept>, FlowError> {
        let mut patience = Patience::default();
        loop {
            match store.keep(&self.origin.job, key, kept).await {
                Ok(earlier) => return Ok(earlier),
                Err(error) => Box::pin(patience.wait_or_stop(&self.origin.job, self.throttle, error)).await?,
            };
        }
    }

    /// Retries until the stage decides or the policy gives up. The first attempt may be a call with others.
    async fn attempts(&self, task: &Task, step: &Step, call: Call) -> Result<Verdict, FlowError> {
        let mut policy = step.retry;
        let (mut held, mut patience, mut paused) = (None, Patience::default(), Duration::ZERO);
        let begun = Instant::now();
        let (mut call, mut first) = match task.runs_alone() {
            true => (call, None),
            false => self.batches.join(task.stage, call).await,
        };
        loop {
            let (result, elapsed) = match first.take() {
                Some(first) => first,
                None => self.attempt(step, &mut call).await,
            };
            if let Some(followed) = self.followed {
                tell(followed, step, &call, elapsed, &result);
            }
            let (failure, after) = match result {
                Ok(outcome) => {
                    held.into_iter().for_each(Held::got_through);
                    return Ok(Verdict::Decided(outcome));
                }
                Err(StageError::Permanent(failure)) => {
                    held.into_iter().for_each(Held::got_through);
                    return Ok(Verdict::Failed(Failed { failure, attempts: call.attempt, kind: FailureKind::Fault }));
                }
                Err(StageError::Host(source)) => {
                    return Err(FlowError::Stage { stage: Arc::clone(&step.name), source });
                }
                Err(StageError::Store(error)) => {
                    paused += Box::pin(patience.wait_or_stop(&call.job, self.throttle, error)).await?;
                    continue;
                }
                Err(StageError::Slow { failure, after, hold }) => {
                    let held = held.get_or_insert_with(|| self.held.hold(self.throttle, &self.origin.job, &step.name));
                    let wait = held.next_wait(&policy, hold, after);
                    if hold == Hold::UnevenLimit && !policy.allows(begun.elapsed().saturating_sub(paused), wait) {
                        return Ok(Verdict::Failed(Failed {
                            failure,
                            attempts: call.attempt,
                            kind: FailureKind::Fault,
                        }));
                    }
                    // Boxed, as is what else is rare: the future of each job is as large as what it may ever await.
                    let waited = Box::pin(self.held_up(held, wait, hold, failure)).await;
                    if hold != Hold::UnevenLimit {
                        paused += waited;
                    }
                    continue;
                }
                Err(StageError::Trap(failure)) => {
                    policy = policy.after_trap();
                    (failure, None)
                }
                Err(StageError::Retry { failure, after }) => (failure, after),
            };
            // Whatever it waits for now, it is the item's own.
            held = None;
            let spent = begun.elapsed().saturating_sub(paused);
            let Some(wait) = policy.again(call.attempt, spent, after, fastrand::f64()) else {
                return Ok(Verdict::Failed(Failed { failure, attempts: call.attempt, kind: FailureKind::Fault }));
            };
            Box::pin(self.before_retry(step, wait)).await;
            call.attempt += 1;
        }
    }

    async fn held_up(&self, held: &mut Held<'_>, wait: Duration, hold: Hold, failure: Failure) -> Duration {
        let _waits = self.followed.map(|followed| followed.waits(failure.to_string(), Some(wait)));
        held.wait(wait, hold, failure).await
    }

    async fn before_retry(&self, step: &Step, wait: Duration) {
        let _waits = self.followed.map(|followed| followed.waits(format!("retry of stage {}", step.name), Some(wait)));
        tokio::time::sleep(wait).await;
    }

    async fn attempt(&self, step: &Step, call: &mut Call) -> (Result<Outcome, StageError>, Duration) {
        call.span = self.span();
        let begun = Instant::now();
        let result = step.stage.run(call).await;
        let elapsed = begun.elapsed();
        self.pipeline.observer.observe(&FlowEvent::Attempt {
            call: &*call,
            stage: &step.name,
            elapsed,
            result: &result,
        });
        (result, elapsed)
    }
}

/// Tells the record of a job of an attempt. What waits for a limit or a dependency does not count as one.
fn tell(followed: &Followed, step: &Step, call: &Call, elapsed: Duration, result: &Result<Outcome, StageError>) {
    let failure = match result {
        Ok(Outcome::Reject(failure)) => Some(failure),
        Ok(Outcome::Emit(_) | Outcome::Drop(_)) => None,
        Err(StageError::Retry { failure, .. } | StageError::Trap(failure) | StageError::Permanent(failure)) => {
            Some(failure)
        }
        Err(StageError::Slow { .. } | StageError::Store(_) | StageError::Host(_)) => return,
    };
    followed.attempted(&step.name, &call.item.id, call.attempt, elapsed, failure);
}

/// The keys of answers and outcomes are digests under different names, so only a broken store can confuse them.
fn mixed_up(step: &Step) -> FlowError {
    let source = anyhow::anyhow!("the state store returned a model's answer for the key of an outcome");
    FlowError::Stage { stage: Arc::clone(&step.name), source }
}
