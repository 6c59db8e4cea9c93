//! Floor 1. What the flow needs of the world, each a trait with few methods, and the errors by which it decides.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::{
    ChatFailure, ChatRequest, ChatResponse, Event, EventId, Failure, Header, Item, JobId, Next, Outcome, Partition,
    Timestamp,
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
    Assigned(Vec<Partition>),
    /// These partitions are being taken away. Everything of them must be settled or given up before `ack` is sent; the
    /// source waits for it a bounded time.
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
}

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
    async fn run(&self, call: Call) -> Result<Outcome, StageError>;
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
