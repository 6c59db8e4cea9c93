//! The settings of a pipeline's flow: each key with its bounds, its default and its meaning.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::DeadLetterBounds;
use crate::settings::{ByteSize, Span, TopicName, span};

pub use super::retry::RetryPolicy;
pub use crate::ports::Start;

/// Which jobs have records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "choice of jobs"))]
pub enum Recorded {
    /// Every event is a job that can be asked for. Costs each a write to the state store.
    #[default]
    All,
    /// Those that came by the API.
    Submitted,
}

/// What becomes of the bytes of outputs, beside the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "treatment of results"))]
pub enum Results {
    /// They stay in the record of a submitted job, so that the API has its result.
    #[default]
    Keep,
    /// They are in the sink only.
    Forget,
}

/// Bounds of the pipeline as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Events in flight.
    #[schemars(range(max = 10_000))]
    pub max_in_flight: NonZeroU32,
    /// Bytes of the events in flight; a single larger event runs alone.
    #[schemars(extend("x-min" = "64KiB", "x-max" = "16GiB"))]
    pub max_in_flight_bytes: ByteSize,
    /// Items of one event that run concurrently.
    #[schemars(range(max = 1_000))]
    pub items_in_flight: NonZeroU32,
    /// Total bytes of one event's items while they wait for a stage or for the end of the job; beyond it the job is
    /// dead-lettered as `job-too-large`.
    #[schemars(extend("x-min" = "64KiB", "x-max" = "16GiB"))]
    pub max_job_bytes: ByteSize,
    /// How long running jobs may take to finish after a stop, or when their partition is revoked.
    // A member that gives up partitions waits this long during the rebalance, which Kafka limits to 5 minutes.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "4m"))]
    pub drain_timeout: Duration,
    /// Share of the last 10,000 jobs that may fail: attempts used up, traps, permanent errors. 1 never stops the
    /// pipeline.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_dead_letter_rate: f64,
    /// Share of the last 10,000 jobs that stages may reject on purpose. 1 never stops the pipeline.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_reject_rate: f64,
    /// This many failed jobs in a row stop the pipeline.
    #[schemars(range(max = 1_000_000))]
    pub max_dead_letters_in_a_row: NonZeroU32,
}

impl Limits {
    /// How many dead letters are acceptable.
    #[must_use]
    pub fn dead_letter_bounds(&self) -> DeadLetterBounds {
        DeadLetterBounds {
            rate: self.max_dead_letter_rate,
            in_a_row: self.max_dead_letters_in_a_row,
            rejected: self.max_reject_rate,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let normal = DeadLetterBounds::default();
        Self {
            max_in_flight: NonZeroU32::MIN.saturating_add(63),
            max_in_flight_bytes: ByteSize::mib(64),
            items_in_flight: NonZeroU32::MIN.saturating_add(7),
            max_job_bytes: ByteSize::mib(64),
            drain_timeout: Duration::from_secs(30),
            max_dead_letter_rate: normal.rate,
            max_reject_rate: normal.rejected,
            max_dead_letters_in_a_row: normal.in_a_row,
        }
    }
}

/// Which jobs wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "order"))]
pub enum Order {
    /// None.
    #[default]
    None,
    /// Those of one partition with the same key; those without a key wait for none.
    Key,
    /// All of one partition.
    Partition,
}

/// How outputs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline, extend("x-noun" = "delivery mode"))]
pub enum DeliveryMode {
    /// Nothing is lost, and after a crash some outputs are written twice.
    #[default]
    AtLeastOnce,
    /// Outputs and offsets in Kafka transactions, see `[transactions]`. Not on the embedded broker.
    ExactlyOnce,
}

/// When transactions begin. Only with `delivery = "exactly-once"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transactions {
    /// A transaction begins when this many jobs are waiting for one.
    #[schemars(range(max = 100_000))]
    pub max_jobs: NonZeroU32,
    /// Or when the first of them has waited this long.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1ms", "x-max" = "10s"))]
    pub max_wait: Duration,
}

impl Default for Transactions {
    fn default() -> Self {
        Self { max_jobs: NonZeroU32::MIN.saturating_add(999), max_wait: Duration::from_millis(100) }
    }
}

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its records are the events.
    #[schemars(extend("x-add" = "topic = \"…\", whose records are the events"))]
    pub topic: TopicName,
    /// The consumer group; any text without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend(
        "pattern" = r"^[^\u0000-\u001f\u007f-\u009f]*$",
        "x-fault" = "has control characters",
        "x-form" = "take them out",
        "x-show" = "the pipeline's name"
    ))]
    pub group: Option<String>,
    /// Where a group that has committed nothing begins.
    #[serde(default)]
    pub start: Start,
    /// Media type of records that have no `content-type` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend(
        "pattern" = r"^[ -.0-~]*/[ -~]+$",
        "x-fault" = "is not a media type: {value}",
        "x-form" = "for example application/json"
    ))]
    pub content_type: Option<String>,
    /// What names the document that a record is a version of: also `{ header = "NAME" }`, or `{ pointer = "/a/b" }` for the
    /// text or number at a JSON Pointer in the payload.
    #[serde(default)]
    pub document: DocumentName,
    /// What becomes of a record that has a key and no value, which deletes its document.
    #[serde(default)]
    pub tombstones: Tombstones,
}

/// What names the document that a record is a version of. A record without that name is a document of its own if it is
/// to be the key, and a dead letter otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "document name"))]
pub enum DocumentName {
    /// The record's key.
    #[default]
    Key,
    /// A header with this name.
    Header(#[schemars(length(min = 1))] String),
    /// The text or number at this place in the payload, as a JSON Pointer. A tombstone has no payload.
    Pointer(#[schemars(extend("pattern" = "^/"))] String),
}

/// What becomes of a record that has a key and no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline, extend("x-noun" = "way with tombstones"))]
pub enum Tombstones {
    /// No stage sees it; it deletes what the document left in the sink.
    #[default]
    Pass,
    /// Nothing.
    Drop,
    /// A dead letter with the code `null-value`, which counts as rejected.
    DeadLetter,
}

/// Where finished items go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Where outputs are written.
    #[schemars(extend("x-add" = "topic = \"…\""))]
    pub topic: TopicName,
    /// The key of the records.
    #[serde(default)]
    pub key: SinkKey,
}

/// The key of the records in the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "key"))]
pub enum SinkKey {
    /// The event's, or the one that a stage gave its output.
    #[default]
    Event,
    /// The item's id. Then later generations of a document replace earlier ones: tombstones delete the items that are
    /// no longer there. Needs an `order`.
    Item,
}

/// Where jobs go that cannot be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// Where failed events are written.
    #[schemars(extend("x-add" = "topic = \"…\""))]
    pub topic: TopicName,
    /// Whether dead letters also have Kafka Connect's headers (`__connect.errors.…`).
    #[serde(default)]
    pub connect_headers: bool,
}

/// Which outcomes of a stage are kept in the store. A kept outcome is used only for the same module, configuration and item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "checkpoint"))]
pub enum Checkpoint {
    /// Those of stages that may ask a model, or whose calls of services are kept.
    #[default]
    Auto,
    /// All.
    Always,
    /// None.
    Never,
}
