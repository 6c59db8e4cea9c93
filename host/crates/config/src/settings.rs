//! The settings of a pipeline, resolved: nothing here is optional that has a default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::{DeadLetterBounds, RetryPolicy};

use super::quantity::ByteSize;

/// Where a secret is found. It is read when the pipeline starts, and never part of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The name of an environment variable.
    Env(String),
    /// A file; its content is the secret.
    File(PathBuf),
}

/// The Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// Which one.
    pub brokers: Brokers,
    /// Passed to librdkafka as they are.
    pub properties: BTreeMap<String, Property>,
    /// How missing topics are created; `None`: they must exist. The embedded broker creates them always.
    pub create_topics: Option<CreateTopics>,
}

/// Which brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brokers {
    /// One inside this process, in memory.
    Embedded,
    /// Where to reach a cluster: "host:port", several separated by commas.
    Addresses(String),
}

/// Why a text names no brokers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no broker: {BROKERS_FORM}")]
pub struct BadBrokers(pub String);

/// What brokers look like, for messages.
pub(super) const BROKERS_FORM: &str = r#"write "embedded", or "host:port" separated by commas"#;

impl std::str::FromStr for Brokers {
    type Err = BadBrokers;

    /// A port is asked for, because without it every misspelt "embedded" would be a host.
    fn from_str(text: &str) -> Result<Self, BadBrokers> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let mut addresses = Vec::new();
        for address in text.split(',').map(str::trim) {
            let (host, port) = address.rsplit_once(':').ok_or_else(|| BadBrokers(address.to_owned()))?;
            let legal = !host.is_empty() && !host.contains(char::is_whitespace);
            if !legal || !port.parse::<u16>().is_ok_and(|port| port > 0) {
                return Err(BadBrokers(address.to_owned()));
            }
            addresses.push(address);
        }
        Ok(Self::Addresses(addresses.join(",")))
    }
}

/// The value of a librdkafka property.
#[derive(Clone, PartialEq, Eq)]
pub enum Property {
    /// As it stands in the file; numbers and booleans as text.
    Plain(String),
    /// A secret that the value is read from.
    Secret(SecretRef),
}

impl fmt::Debug for Property {
    /// Without plain values: some write their passwords into the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(..)"),
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
        }
    }
}

/// What topics are created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateTopics {
    /// Partitions of each; at most 10,000.
    pub partitions: NonZeroU32,
    /// Copies of each partition; at most 100.
    pub replication: NonZeroU32,
}

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The topic.
    pub topic: Arc<str>,
    /// The consumer group; the pipeline's name if the file has none.
    pub group: String,
    /// Where a new group begins.
    pub start: Start,
    /// Of records without a content-type header.
    pub content_type: Option<String>,
}

/// Where a group begins that has committed nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first record there is.
    Earliest,
    /// At the next record to come.
    Latest,
}

/// Where finished items go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// The topic.
    pub topic: Arc<str>,
}

/// Where jobs go that cannot be finished.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The topic.
    pub topic: Arc<str>,
    /// How many of them stop the pipeline; 1% of the last 10,000 jobs or 1,000 in a row if the file has none.
    pub bounds: DeadLetterBounds,
    /// Whether they carry Kafka Connect's header names too; not if the file has none.
    pub connect_headers: bool,
}

/// How outputs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Nothing is lost, and after a crash some outputs are there twice.
    #[default]
    AtLeastOnce,
    /// In transactions.
    ExactlyOnce {
        /// A transaction takes so many jobs; 1 to 100,000, 1,000 if the file has none.
        most: NonZeroU32,
        /// or what there is after so long; 1 ms to 10 s, 100 ms if the file has none.
        every: Duration,
    },
}

/// Which jobs wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// None.
    #[default]
    None,
    /// Those with the same key in one partition.
    Key,
    /// All of one partition.
    Partition,
}

/// The memory of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its folder; `None` is the user's folder for such things.
    pub folder: Option<PathBuf>,
    /// How long things are kept of a job that has ended; 1 minute to 8,760 hours, 24 hours if the file has none.
    pub keep_ended: Duration,
    /// How long of one that has not; not below the other, 168 hours if the file has none.
    pub keep_unfinished: Duration,
    /// The most bytes on disk; 1 MiB to 1 TiB, 16 GiB if the file has none. A full store stops the pipeline.
    pub max_size: ByteSize,
}

/// Which outcomes of a stage are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpoint {
    /// Those of stages that may ask a model.
    #[default]
    Auto,
    /// All.
    Always,
    /// None.
    Never,
}

/// Which calls of a stage share an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// None: each item gets a fresh one.
    #[default]
    Item,
    /// One after the other, until a call breaks. What a stage leaves in memory its next item can see.
    Shared,
}

/// Bounds of the pipeline as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Jobs at once; at most 10,000, 64 if the file has none.
    pub max_in_flight: NonZeroU32,
    /// Bytes of their events; 64 KiB to 16 GiB, 64 MiB if the file has none.
    pub max_in_flight_bytes: ByteSize,
    /// Items of one job at once; at most 1,000, 8 if the file has none.
    pub items_in_flight: NonZeroU32,
    /// Bytes that the items of one job hold together; 64 KiB to 16 GiB, 64 MiB if the file has none.
    pub max_job_bytes: ByteSize,
    /// How long jobs may take to end after a stop, or when their partition is taken away; 100 ms to 4 minutes, 30 s if
    /// the file has none.
    pub drain_timeout: Duration,
}

/// One stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Unique in the pipeline.
    pub name: Arc<str>,
    /// Its code.
    pub module: Module,
    /// What it may reach.
    pub grants: BTreeSet<Grant>,
    /// Handed to it as JSON; an object, empty if the file has none.
    pub config: serde_json::Value,
    /// How failed items are tried again: the pipeline's policy, with the stage's own values over it. At most 100
    /// attempts, waits of at most 1 hour.
    pub retry: RetryPolicy,
    /// Bounds of one call.
    pub limits: StageLimits,
    /// Which outcomes are kept.
    pub checkpoint: Checkpoint,
    /// Which calls share an instance.
    pub isolation: Isolation,
}

/// The code of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// One of those in the binary, by name.
    Builtin(String),
    /// A component's file.
    File(PathBuf),
}

/// What a stage can be allowed to reach. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Language models.
    Llm,
}

/// Bounds of one call of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageLimits {
    /// All memory of the instance; 1 MiB to 1 GiB, 64 MiB if the file has none.
    pub memory: ByteSize,
    /// Time spent computing, without waiting for the host; 10 ms to 10 minutes, 5 s if the file has none.
    pub cpu: Duration,
    /// Time in all; 10 ms to 1 hour, 2 minutes if the file has none.
    pub wall: Duration,
    /// All that it emits; 1 KiB to 256 MiB, 8 MiB if the file has none.
    pub output: ByteSize,
}

/// What a model alias stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// Requests at once; at most 1,000, 8 if the file has none.
    pub max_concurrent: NonZeroU32,
    /// Who answers, the first choice first; never empty.
    pub targets: Vec<Target>,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A server that speaks OpenAI's chat completions.
    OpenAi(OpenAi),
    /// Answers from a file, for demonstrations and tests.
    Scripted {
        /// The file.
        script: PathBuf,
    },
}

/// A server that speaks OpenAI's chat completions.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAi {
    /// The model's name there.
    pub model: String,
    /// Its address up to and with "/v1", without a slash at the end.
    pub base_url: String,
    /// `None` for servers that want no key.
    pub key: Option<SecretRef>,
    /// Bound of one request; 100 ms to 30 minutes, 60 s if the file has none.
    pub timeout: Duration,
    /// How JSON answers are asked for.
    pub structured: Structured,
    /// For requests that set no bound of their own; at most 1,000,000, `None` leaves it to the server.
    pub max_output_tokens: Option<NonZeroU32>,
    /// For requests that set none of their own; 0 to 2, `None` leaves it to the server.
    pub temperature: Option<f64>,
    /// Names of the provider specific options that stages may set.
    pub options: BTreeSet<String>,
}

/// What a server understands when it is asked for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structured {
    /// `response_format` of type `json_schema`.
    JsonSchema,
    /// `response_format` of type `json_object` with the schema in it.
    JsonObjectSchema,
    /// `response_format` of type `json_object`; the schema goes into the prompt.
    JsonObject,
    /// Nothing: all of it goes into the prompt.
    Prompt,
}
