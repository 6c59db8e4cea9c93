//! One job, from its event to what it ended in.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::done::{Done, Ending};
use super::pace::Pace;
use super::replay::Origin;
use super::{Delivery, FlowError, Pipeline, records};
use crate::model::{Disposition, Event, Failed, Failure, Item, Job, Task, Verdict};
use crate::ports::{Sight, Sink, SinkError};

/// Runs the job of an event. When it returns, every output or the dead letter is acknowledged; in a pipeline with
/// transactions they are ready for one.
pub(super) async fn job(pipeline: Arc<Pipeline>, pace: Pace, event: Event) -> Result<Box<Done>, FlowError> {
    let origin = Origin::of(&event, &pipeline.name, &pipeline.plan);
    let (begun, begun_at) = (Instant::now(), (pipeline.clock)());
    pipeline.observer.observe(&Sight::JobStarted { job: &origin.job, event: &event });
    let run = Run { pipeline: &pipeline, pace, origin: &origin, event: &event };
    let disposition = match run.first_item() {
        Ok(item) => run.through_stages(item).await?,
        Err(failure) => Disposition::DeadLettered { stage: None, failed: Failed { failure, attempts: 0 } },
    };
    let mut done = Box::new(Done::new(&pipeline, origin, event, begun, begun_at, disposition));
    if let Delivery::AtLeastOnce(sink) = &pipeline.delivery {
        deliver(&pipeline, &**sink, &mut done).await?;
        done.acknowledged(&pipeline)?;
    }
    Ok(done)
}

/// Writes what the job ended in and waits until it is acknowledged. Outputs that the broker refuses for good make a dead
/// letter; a dead letter that cannot be written stops the pipeline.
async fn deliver(pipeline: &Pipeline, sink: &dyn Sink, done: &mut Done) -> Result<(), FlowError> {
    if done.records.is_empty() {
        return Ok(());
    }
    let refused = match sink.deliver(std::mem::take(&mut done.records)).await {
        Ok(()) => return Ok(()),
        Err(source) if matches!(done.ending, Ending::DeadLettered(_)) => {
            return Err(FlowError::DeadLetter { job: done.origin.job.clone(), source });
        }
        Err(source @ SinkError::Unavailable { .. }) => {
            return Err(FlowError::Sink { job: done.origin.job.clone(), source });
        }
        Err(refused @ SinkError::Refused { .. }) => refused,
    };
    done.refuse(pipeline, refused.to_string());
    let delivered = sink.deliver(std::mem::take(&mut done.records)).await;
    delivered.map_err(|source| FlowError::DeadLetter { job: done.origin.job.clone(), source })
}

/// A job while its stages run.
pub(super) struct Run<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) pace: Pace,
    pub(super) origin: &'a Origin,
    pub(super) event: &'a Event,
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
            id: Job::first_item(&self.origin.job),
            key: self.event.key.clone(),
            payload,
            content_type: self.event.content_type().map(str::to_owned).or_else(|| self.pipeline.content_type.clone()),
            headers: self.event.headers.iter().filter(|header| !records::is_ours(header)).cloned().collect(),
            attributes: Vec::new(),
        })
    }

    /// Hands items to stages, side by side up to the limit, until the job has ended.
    async fn through_stages(&self, item: Item) -> Result<Disposition, FlowError> {
        let limits = &self.pipeline.limits;
        let plan = Arc::clone(&self.pipeline.plan);
        let mut job = Job::start(self.origin.job.clone(), plan, item, limits.job_bytes.get());
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < limits.items_per_job.get() {
                let Some(task) = job.next_task() else { break };
                running.push(self.task(task));
            }
            if let Some(ended) = running.next().await {
                let (task, verdict): (Task, Verdict) = ended?;
                job.apply(task, verdict);
            } else if let Some(disposition) = job.end() {
                return Ok(disposition);
            }
        }
    }
}
