//! Floor 1. What the flow needs of the world, each a trait with few methods, and the errors by which it decides.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::{
    ChatFailure, ChatRequest, ChatResponse, Event, EventId, Failure, Generation, Header, Item, JobId, Next, Outcome,
    Partition, Timestamp,
};

/// What the flow can take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Anything.
    Everything,
    /// No events, but everything else: a full pipeline must not be deaf to a revocation.
    ControlOnly,
}

/// What can happen at a source. The list is closed.
#[derive(Debug)]
pub enum Signal {
    /// These partitions are ours from now on. Events of them follow.
    Assigned {
        /// What is given.
        partitions: Vec<Partition>,
        /// The span of ownership that begins, higher than all before. Their events carry it.
        generation: Generation,
    },
    /// These partitions are being taken away. Everything of them must be settled or given up before `ack` is sent; the
    /// source waits for it a bounded time. If they are lost already it does not wait, and `ack` is closed from the
    /// beginning: nothing of them can be settled any more.
    Revoked {
        /// What is taken.
        partitions: Vec<Partition>,
        /// To be sent when the flow is done with them.
        ack: oneshot::Sender<()>,
    },
    /// One event.
    Event(Event),
}

/// Why a source cannot go on. The flow stops; nothing unsettled is lost, it comes again at the next start.
#[derive(Debug, thiserror::Error)]
#[error("the source {name} cannot go on")]
pub struct SourceError {
    /// What the operator calls it.
    pub name: String,
    /// Why.
    pub source: anyhow::Error,
}

/// Where events come from: a consumer of a group.
///
/// An event is handed out under one generation of its partition's assignment. It comes again, to this or another
/// member, until it is settled.
#[async_trait]
pub trait Source: Send {
    /// The next signal; waits for one. Cancel-safe: a dropped call loses no signal.
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError>;

    /// Notes that this event is settled, and, when `below` is given, that everything in its partition below that place
    /// is. Brokers that commit an offset use `below`, brokers that acknowledge entries use `event`. Does not wait for
    /// the broker. Of a partition that is no longer ours it does nothing.
    fn settle(&mut self, event: &EventId, below: Option<Next>) -> Result<(), SourceError>;

    /// Makes what was settled known to the broker, waits for that a bounded time, and leaves the group.
    async fn close(&mut self) -> Result<(), SourceError>;
}

/// One record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where to.
    pub topic: Arc<str>,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
    /// Its time.
    pub timestamp: Timestamp,
}

/// Why records were not written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The broker will never take this record: too large, say. The job goes to the dead letters.
    #[error("the topic {topic} refuses a record: {reason}")]
    Refused {
        /// Where it should have gone.
        topic: Arc<str>,
        /// Why, in the broker's words.
        reason: String,
    },
    /// The broker cannot be reached or does not confirm. The flow stops.
    #[error("records for the topic {topic} are not confirmed")]
    Unavailable {
        /// Where they should have gone.
        topic: Arc<str>,
        /// Why.
        source: anyhow::Error,
    },
}

/// Where records go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Writes all records, in order per topic, and returns when every one is acknowledged by the broker with the
    /// durability it was configured for. After an error some may have been written; the caller's job id tells repeats.
    /// Not cancel-safe in that sense: a dropped call may write too.
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError>;
}

/// What a transaction writes and settles as one.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The records, in order.
    pub records: Vec<Record>,
    /// What is settled with them; each partition once.
    pub settled: Vec<Settlement>,
}

/// Everything in a partition below a place, settled by who owns it in this generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The partition.
    pub partition: Partition,
    /// The span of ownership in which the events were read.
    pub generation: Generation,
    /// The first place that is not settled.
    pub below: Next,
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// The broker will never take the record with this index. Nothing of the batch was written.
    #[error("the topic {topic} refuses a record: {reason}")]
    Refused {
        /// Which of the batch's records.
        record: usize,
        /// Where it should have gone.
        topic: Arc<str>,
        /// Why, in the broker's words.
        reason: String,
    },
    /// Nothing of the batch was written: a rebalance came between, or the brokers broke it off. What of it is still
    /// ours may be tried again.
    #[error("a transaction was aborted: {0}")]
    Aborted(String),
    /// It cannot be known whether the batch was written, or no further one can be. The flow stops; what the group has
    /// committed tells at the next start.
    #[error("transactions cannot be committed")]
    Unavailable(#[source] anyhow::Error),
}

/// Writes outputs and settles their events in one step: readers of committed records see both or nothing.
#[async_trait]
pub trait Transactor: Send + Sync {
    /// Writes and settles the batch. Refuses it as aborted when one of its partitions is not owned in the generation it
    /// names any more. One call at a time. Not cancel-safe: a dropped call may have been committed.
    async fn commit(&self, batch: Batch) -> Result<(), TransactionError>;
}

/// Names something kept for a job: a digest of what asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

/// What is kept of a job beyond the life of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// What a model answered: paid for.
    Answer(ChatResponse),
    /// What a stage decided: its checkpoint.
    Outcome(Outcome),
}

/// How a job was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its outputs are in the sink.
    Emitted,
    /// It was filtered.
    Dropped,
    /// It is in the dead letters.
    DeadLettered,
}

/// The state store does not work. The flow stops, because going on would acknowledge what is not safe, or pay twice.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the state store {store} does not work: {reason}")]
pub struct StoreError {
    /// What the operator calls it.
    pub store: String,
    /// Why, and the way out.
    pub reason: String,
}

/// What jobs leave behind for a later attempt, in this process or after a crash: the journal of what was paid, and
/// checkpoints of stages.
#[async_trait]
pub trait Store: Send + Sync {
    /// What is kept under the key, if anything. Cancel-safe.
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError>;

    /// Keeps it, in place of what was there. Once this returned it survives the end of the process and of the machine.
    /// A dropped call may keep it too.
    async fn keep(&self, job: &JobId, key: Key, kept: Kept) -> Result<(), StoreError>;

    /// Notes that the job has ended: what is kept of it may be deleted some time after. Does not wait. Without it the
    /// job's things are kept longer, no harm is done.
    ///
    /// # Errors
    /// When the store has failed before: nothing may be acknowledged any more.
    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError>;
}

/// One call of a stage: an item and what surrounds it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The job.
    pub job: JobId,
    /// The event that started it.
    pub event: EventId,
    /// The time of that event's record.
    pub timestamp: Timestamp,
    /// The item.
    pub item: Item,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How the job was begun anew.
    pub edition: Edition,
}

/// What is kept of a job is kept by edition: a job that an operator replays from some stage on gets a new one there,
/// and answers and checkpoints of earlier ones are not used. 0 unless replayed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Edition(pub u32);

/// Why a stage gave no outcome. The variants are what the flow does.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Try this item again, by the policy, not before `after`.
    #[error("{failure}")]
    Retry {
        /// Why.
        failure: Failure,
        /// The least time to wait.
        after: Option<Duration>,
    },
    /// A shared dependency is limited: begin no other jobs for that long, then try this item again. Not counted as an
    /// attempt, because nothing is wrong with the item.
    #[error("{failure}")]
    Slow {
        /// Why.
        failure: Failure,
        /// The least time to wait.
        after: Option<Duration>,
    },
    /// The stage broke: one more chance in a fresh instance.
    #[error("{0}")]
    Trap(Failure),
    /// It will fail the same way each time.
    #[error("{0}")]
    Permanent(Failure),
    /// The host is broken, not the item: stop.
    #[error("the host cannot run the stage")]
    Host(#[source] anyhow::Error),
}

/// One step of a pipeline.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Runs the stage on one item. Bounded in time, memory and output by its limits. A dropped call leaves nothing
    /// behind.
    async fn run(&self, call: &Call) -> Result<Outcome, StageError>;
}

/// Who asks a model: for limits, logs and the memory of what was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The job.
    pub job: JobId,
    /// The stage.
    pub stage: Arc<str>,
    /// The item, as text.
    pub item: Arc<str>,
    /// How many equal requests this call of the stage has made before this one.
    pub repeat: u32,
    /// How the job was begun anew.
    pub edition: Edition,
}

/// A language model, or a layer around one.
#[async_trait]
pub trait Model: Send + Sync {
    /// Answers a request within its `timeout` or the model's own. A dropped call is given up, but may have been paid.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ChatFailure>;

    /// Ends the memory of a job: its answers will not be asked for again.
    fn forget(&self, _job: &JobId) {}
}

/// What the flow lets others see as it happens.
#[derive(Debug)]
pub enum Sight<'a> {
    /// An event was taken.
    JobStarted {
        /// The job.
        job: &'a JobId,
        /// The event.
        event: &'a Event,
    },
    /// One attempt of a stage at an item ended.
    Attempt {
        /// The call.
        call: &'a Call,
        /// The stage.
        stage: &'a str,
        /// How long it took, waiting included.
        elapsed: Duration,
        /// What it gave.
        result: &'a Result<Outcome, StageError>,
    },
    /// A job ended after its partition was given away: what it did is not settled, its event is another owner's.
    Stale {
        /// The event.
        event: &'a EventId,
    },
    /// A stage was not run, because its outcome was kept.
    Restored {
        /// The job.
        job: &'a JobId,
        /// The stage.
        stage: &'a str,
    },
    /// A job ended, and what it ended in is acknowledged.
    JobEnded {
        /// The job.
        job: &'a JobId,
        /// How long it took from the event to the acknowledgement.
        elapsed: Duration,
        /// How.
        end: End<'a>,
    },
}

/// How a job was settled.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// So many records are in the sink.
    Emitted(usize),
    /// Filtered, with a code.
    Dropped(&'a str),
    /// In the dead letters.
    DeadLettered(&'a Failure),
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emitted(records) => write!(f, "emitted {records}"),
            Self::Dropped(code) => write!(f, "dropped ({code})"),
            Self::DeadLettered(failure) => write!(f, "dead-lettered ({})", failure.code),
        }
    }
}

/// Someone who watches. Called in the middle of the flow: must return at once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, sight: &Sight<'_>);
}
