//! One job, from its event to its end.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::attempts::JobContext;
use super::claims::{self, Arrived};
use super::deployment::Deployment;
use super::documents::{Arrival, Document, Known, SUPERSEDED, Upkeep};
use super::done::{Begun, Done};
use super::error::FlowError;
use super::held::HeldItems;
use super::names::is_ours;
use super::payload::{self, Payloads};
use super::pipeline::{Delivery, Pipeline};
use super::recorder::{Followed, Recorder};
use super::replay::Origin;
use super::throttle::Throttle;
use super::together::Together;
use crate::model::{Attribute, Disposition, Event, Item, ItemId, Job, Phase, Sampling, Task, TraceContext, Verdict};
use crate::ports::{FlowEvent, Sink, SinkError};

/// What jobs start with.
pub(super) struct Start {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) deployment: Arc<Deployment>,
    pub(super) throttle: Throttle,
    pub(super) held: HeldItems,
    /// `None` if no job has a record.
    pub(super) recorder: Option<Recorder>,
    pub(super) payloads: Payloads,
}

/// Runs the job of an event. When it returns, every output or the dead letter is acknowledged and the end is recorded; or,
/// in a pipeline with transactions, ready for one.
pub(super) async fn job(start: &Start, together: &Together<'_>, event: Event) -> Result<Box<Done>, FlowError> {
    let Start { pipeline, recorder, .. } = start;
    // Boxed, and so gone with all that its stages needed when the job waits for acknowledgements, as most do most of the
    // time: what is in flight is small then, and the memory is used again by the next job while it is still in the cache.
    let (mut done, followed) = Box::pin(as_far_as_records(start, together, event)).await?;
    if let Delivery::AtLeastOnce(sink) = &pipeline.delivery {
        deliver(pipeline, &**sink, &mut done).await?;
    }
    if let (Some(recorder), Some(followed)) = (recorder, followed) {
        Box::pin(record_end(recorder, followed, pipeline, &mut done)).await?;
    }
    if let Delivery::AtLeastOnce(_) = &pipeline.delivery {
        done.acknowledged(pipeline)?;
    }
    Ok(done)
}

/// Runs the job of an event until its records are to be written.
async fn as_far_as_records(
    start: &Start,
    together: &Together<'_>,
    event: Event,
) -> Result<(Box<Done>, Option<Followed>), FlowError> {
    let Start { pipeline, deployment, throttle, recorder, .. } = start;
    let (origin, nothing) = match claims::find(&event, pipeline, throttle, &deployment.plan).await? {
        Arrived::Job(origin) => (origin, None),
        Arrived::Nothing(origin, code) => (origin, Some(code)),
    };
    let trace = trace(&event, &origin, pipeline.sampling);
    let begun = Begun { at: Instant::now(), time: (pipeline.clock)() };
    pipeline.observer.observe(&FlowEvent::JobStarted { job: &origin.job, event: &event });
    let mut done = Box::new(Done::new(Arc::clone(deployment), origin, event, trace, begun));
    let followed = match (nothing, recorder) {
        (None, Some(recorder)) => recorder.follow(&done.origin, &done.event),
        _ => None,
    };
    if followed.is_some() {
        done.describe_outputs();
    }
    if let Some(code) = nothing {
        done.end_in(pipeline, Disposition::Dropped(code.into()));
    } else {
        // It is dropped wherever it is, unless its end is on its way.
        let worked = tokio::select! {
            biased;
            () = cancelled(followed.as_ref()), if followed.is_some() => None,
            worked = work(start, together, &mut done, trace, followed.as_ref()) => Some(worked),
        };
        match worked {
            Some(worked) => worked?,
            None => done.cancel(),
        }
    }
    Ok((done, followed))
}

async fn cancelled(followed: Option<&Followed>) {
    match followed {
        Some(followed) => followed.cancelled().await,
        None => std::future::pending().await,
    }
}

/// Writes the end of the job before its event is settled. With transactions there are two steps: that its end is to come,
/// and after the transaction that it came.
async fn record_end(
    recorder: &Recorder,
    followed: Followed,
    pipeline: &Pipeline,
    done: &mut Done,
) -> Result<(), FlowError> {
    let phase = match &pipeline.delivery {
        Delivery::AtLeastOnce(_) => Phase::Ended,
        Delivery::ExactlyOnce { .. } => Phase::Settling,
    };
    let Some(note) = followed.end(phase, done.over()) else { return Ok(()) };
    if phase == Phase::Settling {
        done.noted(note.clone());
    }
    let written = recorder.write_end(note).await;
    written.map_err(|source| FlowError::Store { job: done.origin.job.clone(), source })
}

/// Gets the job as far as its records, which are to be written.
async fn work(
    start: &Start,
    together: &Together<'_>,
    done: &mut Done,
    trace: TraceContext,
    followed: Option<&Followed>,
) -> Result<(), FlowError> {
    let Start { pipeline, deployment, throttle, held, payloads, .. } = start;
    // Held as long as the stages need it.
    let mut read = None;
    let mut resolved = None;
    if let Some(reference) = payload::reference(&done.event) {
        match Box::pin(payloads.read(reference, throttle)).await {
            Ok(new) => {
                resolved = Some(Box::new(Event { payload: Some(new.payload.clone()), ..done.event.clone() }));
                read = Some(new);
            }
            Err(failed) => {
                done.end_in(pipeline, Disposition::DeadLettered { stage: None, failed });
                return Ok(());
            }
        }
    }
    let (origin, event) = (&done.origin, resolved.as_deref().unwrap_or(&done.event));
    match Arrival::of(event, origin, pipeline) {
        Arrival::Unusable(failed) => done.end_in(pipeline, Disposition::DeadLettered { stage: None, failed }),
        Arrival::Drop(code) => done.end_in(pipeline, Disposition::Dropped(code.into())),
        Arrival::Delete(None) => done.delete(pipeline),
        Arrival::Delete(Some(id)) => match Known::look_up(pipeline, throttle, origin, id).await? {
            Known::Superseded(document) => superseded(pipeline, done, document),
            Known::Newest(document, upkeep) => {
                done.document = Some(document);
                done.delete(pipeline);
                if let Some(upkeep) = upkeep {
                    Box::pin(keep_up(pipeline, throttle, done, upkeep)).await?;
                }
            }
        },
        Arrival::Process(id, attributes) => match Known::look_up(pipeline, throttle, origin, id).await? {
            Known::Superseded(document) => superseded(pipeline, done, document),
            Known::Newest(document, upkeep) => {
                let context = JobContext {
                    pipeline,
                    deployment,
                    throttle,
                    held,
                    batches: &together.batches,
                    checkpoints: together.checkpoints.as_ref(),
                    keys: OnceCell::new(),
                    origin,
                    event,
                    document: &document,
                    trace,
                    followed,
                };
                let disposition = through_stages(&context, attributes).await?;
                drop((resolved, read));
                done.document = Some(document);
                done.end_in(pipeline, disposition);
                if pipeline.offload.is_some() {
                    Box::pin(done.offload(pipeline, throttle)).await;
                }
                if let Some(upkeep) = upkeep {
                    Box::pin(keep_up(pipeline, throttle, done, upkeep)).await?;
                }
            }
        },
    }
    Ok(())
}

/// A later generation of the document is in the sink, and must stay there.
fn superseded(pipeline: &Pipeline, done: &mut Done, document: Document) {
    done.document = Some(document);
    done.end_in(pipeline, Disposition::Dropped(SUPERSEDED.into()));
}

/// Remembers what the job is about to write, and adds tombstones for what earlier generations left. A dead letter
/// changes nothing: what an earlier generation wrote stays.
async fn keep_up(
    pipeline: &Pipeline,
    throttle: &Throttle,
    done: &mut Done,
    upkeep: Box<Upkeep>,
) -> Result<(), FlowError> {
    if done.is_dead() {
        return Ok(());
    }
    let topics = done.topics(pipeline);
    let obsolete = upkeep.prepare(&done.origin.job, throttle, &done.placed, &topics).await?;
    done.replace(obsolete, upkeep);
    Ok(())
}

/// The trace of the job: its own span, within the trace from the event's header if there is one.
fn trace(event: &Event, origin: &Origin, sampling: Sampling) -> TraceContext {
    match event.trace() {
        Some(parent) => parent.of_job_in(&origin.job),
        None => TraceContext::of_job(&origin.job).sampled_by(sampling),
    }
}

/// Writes the job's records and waits until they are acknowledged, and only then its tombstones. If the broker
/// permanently rejects an output, the job is dead-lettered; a dead letter that cannot be written stops the pipeline.
async fn deliver(pipeline: &Pipeline, sink: &dyn Sink, done: &mut Done) -> Result<(), FlowError> {
    while let Some(records) = done.next_to_write() {
        let refused = match sink.deliver(records).await {
            Ok(()) => continue,
            Err(source) if done.is_dead() => {
                return Err(FlowError::DeadLetter { job: done.origin.job.clone(), source });
            }
            Err(source @ SinkError::Unavailable { .. }) => {
                return Err(FlowError::Sink { job: done.origin.job.clone(), source });
            }
            Err(refused @ SinkError::Refused { .. }) => refused,
        };
        done.refuse(pipeline, refused.to_string());
    }
    Ok(())
}

/// The job's first item, which is the event itself.
fn first_item(context: &JobContext<'_>, attributes: Vec<Attribute>) -> Item {
    let event = context.event;
    let mut headers = Vec::with_capacity(event.headers.len());
    headers.extend(event.headers.iter().filter(|header| !is_ours(header)).cloned());
    Item {
        id: ItemId::root(&context.document.id),
        key: event.key.clone(),
        payload: event.payload.clone().unwrap_or_default(),
        content_type: event.content_type().map(str::to_owned).or_else(|| context.pipeline.content_type.clone()),
        headers,
        attributes,
    }
}

/// Runs items through the stages, concurrently up to the limit, until the job has ended.
async fn through_stages(context: &JobContext<'_>, attributes: Vec<Attribute>) -> Result<Disposition, FlowError> {
    let limits = &context.pipeline.limits;
    let plan = Arc::clone(&context.deployment.plan);
    let document = context.document.id.clone();
    let mut job = Job::start(document, plan, first_item(context, attributes), limits.max_job_bytes.as_usize());
    if let Some(followed) = context.followed {
        job.count();
        followed.progress(&context.deployment.plan, &job);
    }
    // Made only when several tasks run: the usual job has one at a time, and a set costs more than polling it.
    let mut running: Option<FuturesUnordered<_>> = None;
    let mut room = limits.items_in_flight.get() as usize;
    loop {
        while room > 0 {
            let Some(task) = job.next_task() else { break };
            if running.as_ref().is_none_or(FuturesUnordered::is_empty) && !job.is_ready() {
                let (task, verdict) = context.run(task).await?;
                apply(context, &mut job, task, verdict);
                continue;
            }
            room -= 1;
            running.get_or_insert_default().push(context.run(task));
        }
        let ended = match &mut running {
            Some(running) => running.next().await,
            None => None,
        };
        if let Some(ended) = ended {
            let (task, verdict) = ended?;
            room += 1;
            apply(context, &mut job, task, verdict);
        } else if let Some(disposition) = job.end() {
            return Ok(disposition);
        }
    }
}

fn apply(context: &JobContext<'_>, job: &mut Job, task: Task, verdict: Verdict) {
    job.apply(task, verdict);
    if let Some(followed) = context.followed {
        followed.progress(&context.deployment.plan, job);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{EventId, Generation, Header, Partition, Position, TRACEPARENT, Timestamp};

    fn event(traceparent: Option<&'static str>) -> Event {
        let header =
            |text: &'static str| Header { name: TRACEPARENT.into(), value: Some(Bytes::from_static(text.as_bytes())) };
        Event {
            id: EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(1) },
            generation: Generation(1),
            key: None,
            payload: None,
            headers: traceparent.map(header).into_iter().collect(),
            timestamp: Timestamp(0),
            deliveries: None,
            fault: None,
        }
    }

    #[test]
    fn the_producer_decides_whether_its_trace_is_recorded_and_a_share_of_the_others_is() {
        const SILENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        const RECORDED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (traceparent, share, expected) in [
            (None, 0.0, false),
            (None, 1.0, true),
            (Some("not a trace"), 1.0, true),
            (Some(SILENT), 1.0, false),
            (Some(RECORDED), 0.0, true),
        ] {
            let event = event(traceparent);
            let trace = trace(&event, &Origin::new(&event, "p"), Sampling::share(share));
            assert_eq!(trace.is_sampled(), expected, "{traceparent:?} {share}");
        }
    }
}
