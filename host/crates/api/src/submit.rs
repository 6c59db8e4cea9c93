//! From a body to a job: the record first, then the event, and the answer once the broker has it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::flow::names;
use gristmill_core::model::{
    Attribute, BatchId, EventDigest, Header, IdempotencyKey, JobId, ObjectName, ObjectOf, Once, Owner, PayloadText,
    Run, StoredPayload, Submission, Submitted, Timestamp, printable,
};
use gristmill_core::ports::{Record, SinkError};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::audit::{Audit, Change};
use super::desk::Pipeline;
use super::intake::Payload;
use super::problem::{Kind, Problem};
use super::turns::{KeyOf, Turn, Turns};

/// The most jobs of a request.
pub(crate) const MOST_JOBS: usize = 1_000;
/// The most that may wait for the broker, in KiB: as much as a producer holds by default.
const WAITING: u32 = 64 << 10;
/// What an event takes besides its payload, in KiB.
const EVENT: u32 = 2;
/// How long the broker's acknowledgement is waited for.
const ACKNOWLEDGED: Duration = Duration::from_secs(10);

/// A job that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Its id, if it is a new one.
    pub(crate) job: JobId,
    /// The key of its event.
    pub(crate) key: Option<Bytes>,
    pub(crate) content_type: Option<String>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) payload: Payload,
}

/// What is asked of all jobs of a request.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) owner: Option<Owner>,
    pub(crate) batch: Option<BatchId>,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) webhook: Option<String>,
    pub(crate) ack: Ack,
    pub(crate) at: Timestamp,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Ack {
    /// The broker's acknowledgement.
    Broker,
    /// Its record only: if the host dies before the broker has the event, the job stays accepted.
    #[schema(rename = "none")]
    Nothing,
}

/// The id of a job that is submitted now.
pub(crate) fn new_job(now: Timestamp) -> JobId {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    JobId::submitted(u64::try_from(now.0).unwrap_or(0), &random)
}

/// The id of a batch that is submitted now.
pub(crate) fn new_batch(now: Timestamp) -> BatchId {
    BatchId(new_job(now).to_string())
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

    /// Returns the ids of the jobs: those of an earlier request, if it is repeated. Goes on if it is dropped.
    pub(crate) async fn submit(
        &self,
        pipeline: &Arc<Pipeline>,
        drafts: Vec<Draft>,
        order: Order,
        change: Change,
    ) -> Result<Vec<JobId>, Problem> {
        let room = self.room(&drafts).await?;
        let (told, recorded) = oneshot::channel();
        let (turns, audit, pipeline) = (Arc::clone(&self.turns), Arc::clone(&self.audit), Arc::clone(pipeline));
        let ack = order.ack;
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
            let (_turn, (jobs, records)) = match recorded.await {
                Ok(recorded) => recorded,
                Err(problem) => {
                    audit.answered(asked, Problem::outcome(Err(&problem)), None).await;
                    let _ = told.send(Err(problem));
                    return Ok(());
                }
            };
            // A batch is written down under its own id.
            let first = jobs.first().filter(|_| order.batch.is_none()).map(JobId::to_string);
            let (missing, records) = records.into_iter().unzip();
            let _ = told.send(Ok(jobs));
            let delivered = deliver(&pipeline, missing, records, order.at).await;
            audit.answered(asked, Problem::outcome(delivered.as_ref().copied()), first.as_deref()).await;
            delivered
        });
        let jobs = recorded.await.map_err(|_| Problem::stopping())??;
        match ack {
            Ack::Nothing => Ok(jobs),
            Ack::Broker => acknowledged(whole).await.map(|()| jobs),
        }
    }

    /// Waits for room until the broker has the events. While it is away, those who do not wait for it, or go away, would fill
    /// the memory otherwise. Cancel-safe.
    async fn room(&self, drafts: &[Draft]) -> Result<OwnedSemaphorePermit, Problem> {
        let kib = drafts.iter().map(weight).fold(0, u32::saturating_add).min(WAITING);
        match timeout(ACKNOWLEDGED, Arc::clone(&self.room).acquire_many_owned(kib)).await {
            Ok(room) => room.map_err(|_| Problem::stopping()),
            Err(_) => {
                let detail =
                    "the broker does not keep up with the events that wait for it; nothing is accepted, ask again";
                Err(Problem::new(Kind::BrokerUnavailable, detail).retry_after(5))
            }
        }
    }
}

/// What the event of a job takes, in KiB.
fn weight(draft: &Draft) -> u32 {
    match &draft.payload {
        Payload::Inline(bytes) => u32::try_from(bytes.len() >> 10).unwrap_or(WAITING).saturating_add(EVENT),
        Payload::Stored(_) => EVENT,
    }
}

/// Publishes the event of a run that is written down. Goes on if it is dropped.
pub(crate) async fn publish(
    work: &TaskTracker,
    pipeline: &Arc<Pipeline>,
    run: (JobId, Run),
    record: Record,
    at: Timestamp,
) -> Result<(), Problem> {
    let pipeline = Arc::clone(pipeline);
    acknowledged(work.spawn(async move { deliver(&pipeline, vec![run], vec![record], at).await })).await
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
) -> Result<(Vec<JobId>, Vec<((JobId, Run), Record)>), Problem> {
    let request = request_digest(&drafts, order);
    let submissions = drafts.iter().enumerate().map(|(index, draft)| Submission {
        job: draft.job.clone(),
        owner: order.owner.clone(),
        batch: order.batch.clone(),
        once: order.key.as_ref().map(|key| Once { key: key_of(key, index, &request), request }),
        event: event_digest(draft.key.as_deref(), &draft.payload),
        attributes: draft.attributes.clone(),
        webhook: order.webhook.clone(),
        at: order.at,
    });
    let submitted = pipeline.book.submit(submissions.collect()).await.map_err(|error| Problem::of_store(&error))?;
    let (mut jobs, mut records) = (Vec::with_capacity(drafts.len()), Vec::new());
    for (mut draft, submitted) in drafts.into_iter().zip(submitted) {
        let is_published = match submitted {
            Submitted::New => false,
            Submitted::Before { job, is_published } => {
                // The same bytes are there already, under the first name; what this request has stored is swept.
                if let Payload::Stored(stored) = &mut draft.payload {
                    stored.name = ObjectName::of(&pipeline.name, &job, ObjectOf::Input);
                }
                draft.job = job;
                is_published
            }
            Submitted::Conflict => {
                let detail = "the same Idempotency-Key has come with another request: other body, media type, key, \
                              attributes or webhook; use another key";
                return Err(Problem::new(Kind::IdempotencyKeyReused, detail));
            }
        };
        jobs.push(draft.job.clone());
        if !is_published {
            records.push(((draft.job.clone(), Run::FIRST), first_event(pipeline, draft, order)));
        }
    }
    Ok((jobs, records))
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
    match payload {
        Payload::Inline(bytes) => EventDigest::of(key, PayloadText::Inline(bytes)),
        Payload::Stored(stored) => EventDigest::of(key, PayloadText::Reference(&StoredPayload::to_string(stored))),
    }
}

/// The key of one job of a request. That of the first is the client's; the others have keys that only the same request has.
fn key_of(key: &IdempotencyKey, index: usize, request: &[u8; 32]) -> IdempotencyKey {
    if index == 0 {
        return key.clone();
    }
    let digest = Sha256::new().chain_update(request).chain_update(key.0.as_bytes()).finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    IdempotencyKey(format!("batch {index} {hex}"))
}

/// SHA-256 of what makes a request the same. Each part is preceded by its length, so that none can pass for two.
fn request_digest(drafts: &[Draft], order: &Order) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(order.webhook.as_deref().unwrap_or_default().as_bytes());
    for Draft { job: _, key, content_type, attributes, payload } in drafts {
        add(&[u8::from(key.is_some())]);
        add(key.as_deref().unwrap_or_default());
        add(content_type.as_deref().unwrap_or_default().as_bytes());
        add(&(attributes.len() as u64).to_be_bytes());
        for Attribute { name, value } in attributes {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(&payload.sha256());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(body: &str) -> Draft {
        let payload = Payload::Inline(body.to_owned().into());
        Draft { job: new_job(Timestamp(1)), key: None, content_type: None, attributes: Vec::new(), payload }
    }

    fn order() -> Order {
        Order { owner: None, batch: None, key: None, webhook: None, ack: Ack::Broker, at: Timestamp(1) }
    }

    #[test]
    fn a_request_is_the_same_if_all_that_matters_is() {
        let one = request_digest(&[draft("a")], &order());
        assert_eq!(one, request_digest(&[draft("a")], &Order { at: Timestamp(2), ack: Ack::Nothing, ..order() }));
        let attribute = |name: &str, value: &str| Attribute { name: name.into(), value: value.into() };
        let others = [
            request_digest(&[draft("b")], &order()),
            request_digest(&[draft("a"), draft("a")], &order()),
            request_digest(&[draft("a")], &Order { webhook: Some("https://w".into()), ..order() }),
            request_digest(&[Draft { key: Some(Bytes::new()), ..draft("a") }], &order()),
            request_digest(&[Draft { content_type: Some("a/b".into()), ..draft("a") }], &order()),
            request_digest(&[Draft { attributes: vec![attribute("ab", "c")], ..draft("a") }], &order()),
            request_digest(&[Draft { attributes: vec![attribute("a", "bc")], ..draft("a") }], &order()),
        ];
        let mut all: std::collections::BTreeSet<_> = others.into();
        all.insert(one);
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn the_jobs_of_a_batch_have_keys_of_their_own() {
        let key = IdempotencyKey("k".into());
        assert_eq!(key_of(&key, 0, &[0; 32]), key);
        assert_ne!(key_of(&key, 1, &[0; 32]), key_of(&key, 2, &[0; 32]));
        assert_ne!(key_of(&key, 1, &[0; 32]), key_of(&key, 1, &[1; 32]));
    }
}
