//! One call of a stage, with all its attempts. Its outcome is kept if the pipeline is configured for that.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::batches::Batches;
use super::checkpoints::Checkpoints;
use super::deployment::{Deployment, Step};
use super::documents::Document;
use super::error::FlowError;
use super::held::{Held, HeldItems};
use super::patience::{Patience, until_it_answers};
use super::pipeline::Pipeline;
use super::recorder::Followed;
use super::replay::Origin;
use super::throttle::Throttle;
use super::{checkpoint, gather};
use crate::model::{Event, Failed, Failure, FailureKind, Input, Outcome, Task, TraceContext, Verdict};
use crate::ports::{Call, FlowEvent, Hold, Keep, Kept, Key, StageError};

/// What all stage calls of one job share.
pub(super) struct JobContext<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) deployment: &'a Deployment,
    pub(super) throttle: &'a Throttle,
    pub(super) held: &'a HeldItems,
    pub(super) batches: &'a Batches<'a>,
    /// `None` if no outcomes are kept.
    pub(super) checkpoints: Option<&'a Checkpoints<'a>>,
    /// The keys of what is kept of the job, once somebody asked.
    pub(super) keys: OnceCell<HashSet<Key>>,
    pub(super) origin: &'a Origin,
    pub(super) event: &'a Event,
    pub(super) document: &'a Document,
    pub(super) trace: TraceContext,
    /// `None` if the job has no record.
    pub(super) followed: Option<&'a Followed>,
}

/// Where an outcome is kept.
#[derive(Clone, Copy)]
struct Checkpoint<'a> {
    checkpoints: &'a Checkpoints<'a>,
    key: Key,
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

    async fn decide(&self, mut task: Task) -> Result<(Task, Verdict), FlowError> {
        let step = &self.deployment.steps[task.stage];
        let call = self.call(step, &mut task);
        let (call, verdict) = match self.checkpoints.zip(step.checkpoint) {
            None => self.attempts(&task, step, call).await?,
            // Boxed for those that keep nothing: the future of each job is as large as what it may ever await.
            Some((checkpoints, fingerprint)) => {
                let key = checkpoint::key(&step.name, fingerprint, call.edition, &call.item);
                Box::pin(self.once(&task, call, Checkpoint { checkpoints, key })).await?
            }
        };
        if let Input::Item(item) = &mut task.input {
            *item = call.item;
        }
        Ok((task, verdict))
    }

    /// Runs the stage unless its outcome is kept, and keeps it.
    async fn once(&self, task: &Task, call: Call, at: Checkpoint<'_>) -> Result<(Call, Verdict), FlowError> {
        let step = &self.deployment.steps[task.stage];
        if let Some(outcome) = self.restore(step, at).await? {
            if let Some(followed) = self.followed {
                followed.restored(&step.name, &call.item.id);
            }
            return Ok((call, Verdict::Decided(outcome)));
        }
        match self.attempts(task, step, call).await? {
            // A rejection is not kept: a replay asks the stage again, because the cause might have been fixed.
            (call, Verdict::Decided(outcome @ (Outcome::Emit(_) | Outcome::Drop(_)))) => {
                match self.keep(at, outcome).await? {
                    Kept::Outcome(outcome) => Ok((call, Verdict::Decided(outcome))),
                    Kept::Answer(_) | Kept::Embedding(_) | Kept::Http(_) => Err(mixed_up(step)),
                }
            }
            other => Ok(other),
        }
    }

    /// The call of a task, which gets its item back afterwards.
    fn call(&self, step: &Step, task: &mut Task) -> Call {
        Call {
            job: self.origin.job.clone(),
            event: self.event.id.clone(),
            document: self.document.id.clone(),
            generation: self.document.generation,
            timestamp: self.event.timestamp,
            item: gather::item(&self.document.id, &step.name, &mut task.input),
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
    async fn restore(&self, step: &Step, at: Checkpoint<'_>) -> Result<Option<Outcome>, FlowError> {
        // Asked for once per job: nearly every job is new, and then nothing else is.
        let keys = self.keys.get_or_try_init(|| self.find_keys(at.checkpoints)).await?;
        if !keys.contains(&at.key) {
            return Ok(None);
        }
        match self.recall(at).await? {
            Some(Kept::Outcome(outcome)) => {
                let (job, stage, trace) = (&self.origin.job, &*step.name, self.trace);
                self.pipeline.observer.observe(&FlowEvent::Restored { job, stage, trace });
                Ok(Some(outcome))
            }
            Some(Kept::Answer(_) | Kept::Embedding(_) | Kept::Http(_)) => Err(mixed_up(step)),
            None => Ok(None),
        }
    }

    /// The keys of what is kept of the job. Asks until the store answers.
    async fn find_keys(&self, checkpoints: &Checkpoints<'_>) -> Result<HashSet<Key>, FlowError> {
        let job = &self.origin.job;
        let keys = until_it_answers(job, self.throttle, || checkpoints.keys(job.clone())).await?;
        Ok(keys.into_iter().collect())
    }

    /// Recalls what the store has kept. Asks until it answers.
    async fn recall(&self, at: Checkpoint<'_>) -> Result<Option<Kept>, FlowError> {
        let job = &self.origin.job;
        until_it_answers(job, self.throttle, || at.checkpoints.recall(job, at.key)).await
    }

    /// Keeps an outcome, retrying until that succeeds. Returns what is kept now: what came first.
    async fn keep(&self, at: Checkpoint<'_>, outcome: Outcome) -> Result<Kept, FlowError> {
        let mut patience = Patience::default();
        let mut new = Keep { job: self.origin.job.clone(), key: at.key, kept: Kept::Outcome(outcome) };
        loop {
            let (ours, kept) = at.checkpoints.keep(new).await;
            match kept {
                Ok(earlier) => return Ok(earlier.unwrap_or(ours.kept)),
                Err(error) => patience.wait_or_stop(&self.origin.job, self.throttle, error).await?,
            };
            new = ours;
        }
    }

    /// Retries until the stage decides or the policy gives up. The first attempt may be a call with others.
    async fn attempts(&self, task: &Task, step: &Step, call: Call) -> Result<(Call, Verdict), FlowError> {
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
                    return Ok((call, Verdict::Decided(outcome)));
                }
                Err(StageError::Permanent(failure)) => {
                    held.into_iter().for_each(Held::got_through);
                    return Ok(failed(call, failure));
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
                        return Ok(failed(call, failure));
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
                return Ok(failed(call, failure));
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

/// The stage was given up.
fn failed(call: Call, failure: Failure) -> (Call, Verdict) {
    let failed = Failed { failure, attempts: call.attempt, kind: FailureKind::Fault };
    (call, Verdict::Failed(failed))
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
