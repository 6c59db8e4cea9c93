//! One job, from its event to its end.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::attempts::JobContext;
use super::deployment::Deployment;
use super::done::{Begun, Done};
use super::error::FlowError;
use super::pipeline::{Delivery, Pipeline};
use super::records;
use super::replay::Origin;
use super::throttle::Throttle;
use crate::model::{Disposition, Event, Failed, Failure, Item, Job, Task, TraceContext, Verdict};
use crate::ports::{FlowEvent, Sink, SinkError};

/// What a job starts with.
pub(super) struct Start {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) deployment: Arc<Deployment>,
    pub(super) throttle: Throttle,
    pub(super) event: Event,
}

/// Runs the job of an event. When it returns, every output or the dead letter is acknowledged, or, in a pipeline with
/// transactions, ready for one.
pub(super) async fn job(start: Start) -> Result<Box<Done>, FlowError> {
    let Start { pipeline, deployment, throttle, event } = start;
    let origin = Origin::of(&event, &pipeline.name, &deployment.plan);
    let trace = trace(&event, &origin);
    let begun = Begun { at: Instant::now(), time: (pipeline.clock)() };
    pipeline.observer.observe(&FlowEvent::JobStarted { job: &origin.job, event: &event });
    let context = JobContext {
        pipeline: &pipeline,
        deployment: &deployment,
        throttle: &throttle,
        origin: &origin,
        event: &event,
        trace,
    };
    let disposition = match first_item(&context) {
        Ok(item) => through_stages(&context, item).await?,
        Err(failure) => Disposition::DeadLettered { stage: None, failed: Failed { failure, attempts: 0 } },
    };
    let mut done = Box::new(Done::new(deployment, origin, event, trace, begun));
    done.end_in(&pipeline, disposition);
    if let Delivery::AtLeastOnce(sink) = &pipeline.delivery {
        deliver(&pipeline, &**sink, &mut done).await?;
        done.acknowledged(&pipeline)?;
    }
    Ok(done)
}

/// The trace of the job: its own span, within the trace from the event's header if there is one.
fn trace(event: &Event, origin: &Origin) -> TraceContext {
    match event.trace() {
        Some(parent) => parent.of_job_in(&origin.job),
        None => TraceContext::of_job(&origin.job),
    }
}

/// Writes the job's records and waits until they are acknowledged. If the broker permanently rejects an output, the job
/// is dead-lettered; a dead letter that cannot be written stops the pipeline.
async fn deliver(pipeline: &Pipeline, sink: &dyn Sink, done: &mut Done) -> Result<(), FlowError> {
    if done.records.is_empty() {
        return Ok(());
    }
    let refused = match sink.deliver(std::mem::take(&mut done.records)).await {
        Ok(()) => return Ok(()),
        Err(source) if done.is_dead() => {
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

/// The job's first item, which is the event itself. Fails if the record is unusable.
fn first_item(context: &JobContext<'_>) -> Result<Item, Failure> {
    let event = context.event;
    if let Some(fault) = &event.fault {
        return Err(fault.clone());
    }
    let Some(payload) = event.payload.clone() else {
        return Err(Failure::new("null-value", "the record has no value, so there is nothing to process"));
    };
    Ok(Item {
        id: Job::first_item(&context.origin.job),
        key: event.key.clone(),
        payload,
        content_type: event.content_type().map(str::to_owned).or_else(|| context.pipeline.content_type.clone()),
        headers: event.headers.iter().filter(|header| !records::is_ours(header)).cloned().collect(),
        attributes: Vec::new(),
    })
}

/// Runs items through the stages, concurrently up to the limit, until the job has ended.
async fn through_stages(context: &JobContext<'_>, item: Item) -> Result<Disposition, FlowError> {
    let limits = &context.pipeline.limits;
    let plan = Arc::clone(&context.deployment.plan);
    let mut job = Job::start(context.origin.job.clone(), plan, item, limits.max_job_bytes.as_usize());
    let mut running = FuturesUnordered::new();
    let mut room = limits.items_in_flight.get() as usize;
    loop {
        while room > 0 {
            let Some(task) = job.next_task() else { break };
            let most = context.deployment.steps[task.stage].stage.max_batch().min(room);
            let mut tasks = job.next_beside(&task, most - 1);
            tasks.insert(0, task);
            room -= tasks.len();
            running.push(context.run(tasks));
        }
        if let Some(ended) = running.next().await {
            let ended: Vec<(Task, Verdict)> = ended?;
            room += ended.len();
            for (task, verdict) in ended {
                job.apply(task, verdict);
            }
        } else if let Some(disposition) = job.end() {
            return Ok(disposition);
        }
    }
}
