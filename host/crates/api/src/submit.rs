//! From a body to a job: the record first, then the event, and the answer once the broker has it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::flow::names;
use gristmill_core::model::{
    Attribute, EventDigest, Header, JobId, JobRecord, Once, Run, Submission, Submitted, Timestamp, printable,
};
use gristmill_core::ports::{Record, SinkError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::audit::{Audit, Change};
use super::desk::Pipeline;
use super::draft::{Ack, Draft, Order, key_of, request_digest};
use super::intake::Payload;
use super::problem::{Kind, Problem};
use super::turns::{KeyOf, Turn, Turns};

/// The most that may wait for the broker, in KiB: as much as a producer holds by default.
const WAITING: u32 = 64 << 10;
/// What an event takes besides its payload, in KiB.
const EVENT: u32 = 2;
/// How long the broker's acknowledgement is waited for.
const ACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Jobs that are written down.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Their ids: those of an earlier request, if it is repeated, without those that are deleted.
    pub(crate) jobs: Vec<JobId>,
    /// The records of those that are new, as they are now.
    pub(crate) new: Vec<JobRecord>,
}

/// Writes jobs down and publishes their events.
pub(crate) struct Submitter {
    turns: Arc<Turns>,
    room: Arc<Semaphore>,
    work: TaskTracker,
    audit: Arc<Audit>,
}

impl Submitter {
    pub(crate) fn new(work: TaskTracker, audit: Arc<Audit>) -> Self {
        Self { turns: Arc::default(), room: Arc::new(Semaphore::new(WAITING as usize)), work, audit }
    }

    /// Goes on if it is dropped.
    pub(crate) async fn submit(
        &self,
        pipeline: &Arc<Pipeline>,
        drafts: Vec<Draft>,
        order: Order,
        change: Change,
    ) -> Result<Taken, Problem> {
        let room = self.room(drafts.iter().map(|draft| weight(&draft.payload)).fold(0, u32::saturating_add)).await?;
        let (told, recorded) = oneshot::channel();
        let (turns, audit, pipeline) = (Arc::clone(&self.turns), Arc::clone(&self.audit), Arc::clone(pipeline));
        let (ack, at) = (order.ack, order.at);
        let whole = self.work.spawn(async move {
            let _room = room;
            let asked = match audit.asked(change).await {
                Ok(asked) => asked,
                Err(error) => {
                    let _ = told.send(Err(Problem::of_audit(&error)));
                    return Ok(());
                }
            };
            let recorded = async {
                let turn = match &order.key {
                    Some(key) => {
                        Some(turn(&turns, (Arc::clone(&pipeline.name), order.owner.clone(), key.clone())).await?)
                    }
                    None => None,
                };
                record(&pipeline, drafts, &order).await.map(|recorded| (turn, recorded))
            };
            let (_turn, (taken, records)) = match recorded.await {
                Ok(recorded) => recorded,
                Err(problem) => {
                    audit.answered(asked, Problem::outcome(Err(&problem)), None).await;
                    let _ = told.send(Err(problem));
                    return Ok(());
                }
            };
            // A batch is written down under its own id.
            let first = taken.jobs.first().filter(|_| order.batch.is_none()).map(JobId::to_string);
            let (missing, records) = records.into_iter().unzip();
            let _ = told.send(Ok(taken));
            let delivered = deliver(&pipeline, missing, records, order.at).await;
            audit.answered(asked, Problem::outcome(delivered.as_ref().copied()), first.as_deref()).await;
            delivered
        });
        let mut taken = recorded.await.map_err(|_| Problem::stopping())??;
        if ack == Ack::Broker {
            acknowledged(whole).await?;
            taken.new.iter_mut().for_each(|record| record.published(Run::FIRST, at));
        }
        Ok(taken)
    }

    /// Waits for room for the event of a further run.
    pub(crate) async fn room_for(&self, payload: &Payload) -> Result<Room, Problem> {
        self.room(weight(payload)).await
    }

    /// Publishes the event of a run that is written down. Goes on if it is dropped.
    pub(crate) async fn publish(
        &self,
        room: Room,
        pipeline: &Arc<Pipeline>,
        run: (JobId, Run),
        record: Record,
    ) -> Result<(), Problem> {
        let pipeline = Arc::clone(pipeline);
        let published = async move {
            let _room = room;
            let at = record.timestamp;
            deliver(&pipeline, vec![run], vec![record], at).await
        };
        acknowledged(self.work.spawn(published)).await
    }

    /// Waits for room until the broker has the events. While it is away, those who do not wait for it, or go away, would fill
    /// the memory otherwise. Cancel-safe.
    async fn room(&self, kib: u32) -> Result<Room, Problem> {
        let kib = kib.min(WAITING);
        match timeout(ACKNOWLEDGED, Arc::clone(&self.room).acquire_many_owned(kib)).await {
            Ok(room) => room.map(Room).map_err(|_| Problem::stopping()),
            Err(_) => {
                let detail =
                    "the broker does not keep up with the events that wait for it; nothing is accepted, ask again";
                Err(Problem::new(Kind::BrokerUnavailable, detail).retry_after(5))
            }
        }
    }
}

/// Room for events that wait for the broker, until it is dropped.
pub(crate) struct Room(#[expect(dead_code, reason = "it counts as long as it lives")] OwnedSemaphorePermit);

/// What an event takes, in KiB.
fn weight(payload: &Payload) -> u32 {
    match payload {
        Payload::Inline(bytes) => u32::try_from(bytes.len() >> 10).unwrap_or(WAITING).saturating_add(EVENT),
        Payload::Stored(_) => EVENT,
    }
}

/// Waits for the requests before with the same key, for as long as the broker is waited for: where it is away, requests do not
/// queue up behind the one that waits for it.
async fn turn(turns: &Turns, key: KeyOf) -> Result<Turn, Problem> {
    let turn = timeout(ACKNOWLEDGED, turns.take(key)).await;
    turn.map_err(|_| away("an earlier request with this key still waits for the broker"))
}

async fn acknowledged(whole: tokio::task::JoinHandle<Result<(), Problem>>) -> Result<(), Problem> {
    match timeout(ACKNOWLEDGED, whole).await {
        Ok(Ok(published)) => published,
        Ok(Err(_)) => Err(Problem::stopping()),
        Err(_) => Err(away("the broker has not acknowledged the event within 10 s")),
    }
}

/// Submissions and the events of those that the broker may not have.
async fn record(
    pipeline: &Pipeline,
    drafts: Vec<Draft>,
    order: &Order,
) -> Result<(Taken, Vec<((JobId, Run), Record)>), Problem> {
    let request = request_digest(&drafts, order);
    let submission = |(index, draft): (usize, &Draft)| Submission {
        job: draft.job.clone(),
        owner: order.owner.clone(),
        batch: order.batch.clone(),
        once: order.key.as_ref().map(|key| Once { key: key_of(key, index, &request), request }),
        event: event_digest(draft.key.as_deref(), &draft.payload),
        attributes: draft.attributes.clone(),
        webhook: order.webhook.clone(),
        at: order.at,
    };
    let submissions: Vec<Submission> = drafts.iter().enumerate().map(submission).collect();
    let submitted = pipeline.book.submit(submissions.clone()).await.map_err(|error| Problem::of_store(&error))?;
    let (mut taken, mut records) = (Taken::default(), Vec::new());
    for ((mut draft, submission), submitted) in drafts.into_iter().zip(submissions).zip(submitted) {
        let is_published = match submitted {
            Submitted::New => {
                taken.new.push(JobRecord::of(submission));
                false
            }
            Submitted::Before { job, is_published } => {
                draft.job = job;
                is_published
            }
            Submitted::Forgotten => continue,
            Submitted::Conflict => {
                let detail = "the same Idempotency-Key has come with another request: other body, media type, key, \
                              attributes or webhook; use another key";
                return Err(Problem::new(Kind::IdempotencyKeyReused, detail));
            }
        };
        taken.jobs.push(draft.job.clone());
        if !is_published {
            records.push(((draft.job.clone(), Run::FIRST), first_event(pipeline, draft, order)));
        }
    }
    Ok((taken, records))
}

async fn deliver(
    pipeline: &Pipeline,
    jobs: Vec<(JobId, Run)>,
    records: Vec<Record>,
    at: Timestamp,
) -> Result<(), Problem> {
    if records.is_empty() {
        return Ok(());
    }
    pipeline.inlet.deliver(records).await.map_err(|error| {
        tracing::warn!(pipeline = %pipeline.name, %error, "the event of a submitted job is not published");
        match error {
            SinkError::Refused { reason, .. } => {
                Problem::new(Kind::BodyTooLarge, format!("the broker does not take the event: {reason}"))
            }
            SinkError::Unavailable { .. } => away("the broker does not take events for now"),
        }
    })?;
    if let Err(error) = pipeline.published.published(&jobs, at) {
        // A host that takes the events says so, too.
        tracing::debug!(%error, "it is not noted that jobs are queued");
    }
    Ok(())
}

fn away(what: &str) -> Problem {
    let detail = format!("{what}; the job stays accepted: send the same request with the same Idempotency-Key again");
    Problem::new(Kind::BrokerUnavailable, detail).retry_after(5)
}

/// The event of a run.
pub(crate) fn event(pipeline: &Pipeline, job: &JobId, run: Run, key: Option<Bytes>, at: Timestamp) -> Record {
    let submitted = Header { name: names::SUBMITTED.into(), value: Some(format!("{job};{}", run.0).into()) };
    Record {
        topic: Arc::clone(&pipeline.source),
        partition: None,
        key,
        payload: None,
        headers: vec![submitted],
        timestamp: at,
    }
}

/// Puts a payload into an event, or a reference to it.
pub(crate) fn fill(record: &mut Record, payload: Payload) {
    match payload {
        Payload::Inline(bytes) => record.payload = Some(bytes),
        Payload::Stored(stored) => {
            record.headers.push(Header { name: names::PAYLOAD.into(), value: Some(stored.to_string().into()) });
        }
    }
}

/// Adds an attribute to an event.
pub(crate) fn add_attribute(record: &mut Record, name: &str, value: &str) {
    let name = format!("{}{name}", names::ATTRIBUTE);
    record.headers.push(Header { name: name.into(), value: Some(printable(value).into()) });
}

fn first_event(pipeline: &Pipeline, draft: Draft, order: &Order) -> Record {
    let mut record = event(pipeline, &draft.job, Run::FIRST, draft.key, order.at);
    if let Some(content_type) = draft.content_type {
        record.headers.push(Header { name: names::CONTENT_TYPE.into(), value: Some(content_type.into()) });
    }
    for Attribute { name, value } in &draft.attributes {
        add_attribute(&mut record, name, value);
    }
    if let Some(owner) = &order.owner {
        if !owner.tenant.is_empty() {
            add_attribute(&mut record, "sys.tenant", &owner.tenant);
        }
        add_attribute(&mut record, "sys.subject", &owner.subject);
    }
    fill(&mut record, draft.payload);
    record
}

/// What proves the event of a payload.
pub(crate) fn event_digest(key: Option<&[u8]>, payload: &Payload) -> EventDigest {
    EventDigest::of_bytes(key, &payload.sha256())
}
