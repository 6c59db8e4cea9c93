//! One job, from its event to the acknowledgement of what it ended in.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::{FlowError, Pipeline, Step, pace::Pace, records};
use crate::model::{Disposition, Event, Failed, Failure, Item, Job, JobId, Task, Verdict};
use crate::ports::{Call, End, Sight, SinkError, StageError};

/// Runs the job of an event. When it returns `Ok`, every output or the dead letter is acknowledged.
pub(super) async fn job(pipeline: Arc<Pipeline>, pace: Pace, event: Event) -> Result<(), FlowError> {
    let id = JobId::new(&pipeline.name, &event.id);
    let begun = Instant::now();
    pipeline.observer.observe(&Sight::JobStarted { job: &id, event: &event });
    let run = Run { pipeline: &pipeline, pace, id: &id, event: &event, begun };
    let disposition = match run.first_item() {
        Ok(item) => run.through_stages(item).await?,
        Err(failure) => Disposition::DeadLettered { stage: None, failed: Failed { failure, attempts: 0 } },
    };
    run.settle(disposition).await?;
    if let Some(model) = &pipeline.model {
        model.forget(&id);
    }
    Ok(())
}

struct Run<'a> {
    pipeline: &'a Pipeline,
    pace: Pace,
    id: &'a JobId,
    event: &'a Event,
    begun: Instant,
}

impl Run<'_> {
    /// The item that the event itself is, unless the record is unusable.
    fn first_item(&self) -> Result<Item, Failure> {
        if let Some(fault) = &self.event.fault {
            return Err(fault.clone());
        }
        let Some(payload) = self.event.payload.clone() else {
            return Err(Failure::new("null-value", "the record has no value, so there is nothing to work on"));
        };
        Ok(Item {
            id: Job::first_item(self.id),
            key: self.event.key.clone(),
            payload,
            content_type: self.event.content_type().map(str::to_owned).or_else(|| self.pipeline.content_type.clone()),
            headers: self.event.headers.clone(),
            attributes: Vec::new(),
        })
    }

    /// Hands items to stages, side by side up to the limit, until the job has ended.
    async fn through_stages(&self, item: Item) -> Result<Disposition, FlowError> {
        let mut job = Job::start(Arc::clone(&self.pipeline.stage_names), item);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < self.pipeline.limits.items_per_job.get() {
                let Some(task) = job.next_task() else { break };
                running.push(self.task(task));
            }
            if let Some(ended) = running.next().await {
                let (task, verdict) = ended?;
                job.apply(&task, verdict);
            } else if let Some(disposition) = job.end() {
                return Ok(disposition);
            }
        }
    }

    /// One item in one stage, with all its attempts.
    async fn task(&self, task: Task) -> Result<(Task, Verdict), FlowError> {
        let step = &self.pipeline.steps[task.stage];
        let mut policy = step.retry;
        let (mut attempt, mut slowed) = (1, 0);
        let verdict = loop {
            let (failure, after) = match self.attempt(step, &task, attempt).await {
                Ok(outcome) => break Verdict::Decided(outcome),
                Err(StageError::Permanent(failure)) => {
                    break Verdict::Failed(Failed { failure, attempts: attempt });
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
                    continue;
                }
                Err(StageError::Trap(failure)) => {
                    policy = policy.after_trap();
                    (failure, None)
                }
                Err(StageError::Retry { failure, after }) => (failure, after),
            };
            if policy.is_last(attempt) {
                break Verdict::Failed(Failed { failure, attempts: attempt });
            }
            tokio::time::sleep(policy.wait(attempt, after, fastrand::f64())).await;
            attempt += 1;
        };
        Ok((task, verdict))
    }

    async fn attempt(&self, step: &Step, task: &Task, attempt: u32) -> Result<crate::model::Outcome, StageError> {
        let call = Call {
            job: self.id.clone(),
            event: self.event.id.clone(),
            timestamp: self.event.timestamp,
            item: task.item.clone(),
            attempt,
        };
        let begun = Instant::now();
        let result = step.stage.run(call.clone()).await;
        let elapsed = begun.elapsed();
        self.pipeline.observer.observe(&Sight::Attempt { call: &call, stage: &step.name, elapsed, result: &result });
        result
    }

    /// Writes what the job ended in and waits until it is acknowledged. Outputs that the broker refuses for good make a
    /// dead letter; a dead letter that cannot be written stops the pipeline.
    async fn settle(&self, disposition: Disposition) -> Result<(), FlowError> {
        let (stage, failed) = match disposition {
            Disposition::Dropped(code) => {
                self.ended(End::Dropped(&code));
                return Ok(());
            }
            Disposition::Emitted(items) => {
                let count = items.len();
                let record = |item| records::output(self.pipeline, self.id, self.event, item);
                match self.pipeline.sink.deliver(items.into_iter().map(record).collect()).await {
                    Ok(()) => {
                        self.ended(End::Emitted(count));
                        return Ok(());
                    }
                    Err(source @ SinkError::Unavailable { .. }) => {
                        return Err(FlowError::Sink { job: self.id.clone(), source });
                    }
                    Err(refused @ SinkError::Refused { .. }) => {
                        (None, Failed { failure: Failure::new("output-refused", refused.to_string()), attempts: 1 })
                    }
                }
            }
            Disposition::DeadLettered { stage, failed } => (stage, failed),
        };
        let letter = records::dead_letter(self.pipeline, self.id, self.event, stage.as_deref(), &failed);
        let delivered = self.pipeline.sink.deliver(vec![letter]).await;
        delivered.map_err(|source| FlowError::DeadLetter { job: self.id.clone(), source })?;
        self.ended(End::DeadLettered(&failed.failure));
        Ok(())
    }

    fn ended(&self, end: End<'_>) {
        self.pipeline.observer.observe(&Sight::JobEnded { job: self.id, elapsed: self.begun.elapsed(), end });
    }
}
