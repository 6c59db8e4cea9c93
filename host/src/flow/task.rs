//! One call of a stage, with all its attempts; what it decides is kept where the pipeline wants that.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::execute::Run;
use super::{FlowError, Step, checkpoint, gather};
use crate::model::{Failed, Item, Outcome, Task, Verdict};
use crate::ports::{Call, Edition, Kept, Sight, StageError, StoreError};

impl Run<'_> {
    /// Runs the task, unless its outcome was kept by an earlier run of the job.
    pub(super) async fn task(&self, task: Task) -> Result<(Task, Verdict), FlowError> {
        let step = &self.pipeline.steps[task.stage];
        let item = gather::item(&self.origin.job, &step.name, &task.input);
        let edition = self.origin.edition(task.stage);
        let (Some(store), Some(fingerprint)) = (&self.pipeline.store, step.checkpoint) else {
            let verdict = self.attempts(step, item, edition).await?;
            return Ok((task, verdict));
        };
        let job = &self.origin.job;
        let failed = |source: StoreError| FlowError::Store { job: job.clone(), source };
        let key = checkpoint::key(&step.name, fingerprint, edition, &item);
        if let Some(Kept::Outcome(outcome)) = store.recall(job, key).await.map_err(failed)? {
            self.pipeline.observer.observe(&Sight::Restored { job, stage: &step.name });
            return Ok((task, Verdict::Decided(outcome)));
        }
        let verdict = self.attempts(step, item, edition).await?;
        // What was rejected is asked about again when someone replays it: it may have been mended.
        if let Verdict::Decided(outcome @ (Outcome::Emit(_) | Outcome::Drop(_))) = &verdict {
            store.keep(job, key, Kept::Outcome(outcome.clone())).await.map_err(failed)?;
        }
        Ok((task, verdict))
    }

    /// Tries until the stage decides or the policy gives up.
    async fn attempts(&self, step: &Step, item: Item, edition: Edition) -> Result<Verdict, FlowError> {
        let mut policy = step.retry;
        let (mut slowed, mut paused) = (0, Duration::ZERO);
        let mut call = Call {
            job: self.origin.job.clone(),
            event: self.event.id.clone(),
            timestamp: self.event.timestamp,
            item,
            attempt: 1,
            edition,
        };
        let begun = Instant::now();
        loop {
            let (failure, after) = match self.attempt(step, &call).await {
                Ok(outcome) => return Ok(Verdict::Decided(outcome)),
                Err(StageError::Permanent(failure)) => {
                    return Ok(Verdict::Failed(Failed { failure, attempts: call.attempt }));
                }
                Err(StageError::Host(source)) => {
                    return Err(FlowError::Stage { stage: Arc::clone(&step.name), source });
                }
                Err(StageError::Slow { after, .. }) => {
                    // A wait that the provider asked for is taken as it is; without one it grows.
                    slowed = if after.is_some() { 0 } else { slowed + 1 };
                    let wait = match after {
                        Some(after) => after.mul_f64(1.0 + 0.25 * fastrand::f64()),
                        None => policy.wait(slowed, None, fastrand::f64()),
                    };
                    self.pace.pause(wait);
                    tokio::time::sleep(wait).await;
                    paused += wait;
                    continue;
                }
                Err(StageError::Trap(failure)) => {
                    policy = policy.after_trap();
                    (failure, None)
                }
                Err(StageError::Retry { failure, after }) => (failure, after),
            };
            let spent = begun.elapsed().saturating_sub(paused);
            let Some(wait) = policy.again(call.attempt, spent, after, fastrand::f64()) else {
                return Ok(Verdict::Failed(Failed { failure, attempts: call.attempt }));
            };
            tokio::time::sleep(wait).await;
            call.attempt += 1;
        }
    }

    async fn attempt(&self, step: &Step, call: &Call) -> Result<Outcome, StageError> {
        let begun = Instant::now();
        let result = step.stage.run(call).await;
        let elapsed = begun.elapsed();
        self.pipeline.observer.observe(&Sight::Attempt { call, stage: &step.name, elapsed, result: &result });
        result
    }
}
