//! Names of headers that Gristmill writes. Do not change: consumers read them.

use crate::model::Header;

/// The job, as pipeline/topic/partition/position, or the UUID of a submitted one.
pub const JOB_ID: &str = "gristmill-job-id";
/// The item.
pub const ITEM_ID: &str = "gristmill-item-id";
/// SHA-256 of the payload, in hexadecimal.
pub const OUTPUT_SHA256: &str = "gristmill-output-sha256";
/// The document that the event is a version of.
pub const DOCUMENT_ID: &str = "gristmill-document-id";
/// The generation of that document, as milliseconds-sequence; later ones are greater.
pub const GENERATION: &str = "gristmill-document-generation";
/// The prefix of an attribute's header, followed by the attribute's name.
pub const ATTRIBUTE: &str = "gristmill-attribute-";
/// The media type.
pub const CONTENT_TYPE: &str = "content-type";
/// The failure code, which is stable.
pub const FAILURE_REASON: &str = "failure_reason";
/// `rejected` if a stage rejected the data on purpose, `fault` if something did not work.
pub const FAILURE_KIND: &str = "gristmill-failure-kind";
/// The stage where the job failed.
pub const STAGE: &str = "gristmill-stage";
/// SHA-256 of the module of that stage.
pub const MODULE: &str = "gristmill-module";
/// The modules of all stages that the job ran with, as `STAGE=DIGITS,…`: the first 16 digits of their SHA-256.
pub const STAGE_VERSIONS: &str = "gristmill-stage-versions";
/// How many attempts were made there.
pub const ATTEMPTS: &str = "gristmill-attempts";
/// The error message, for humans.
pub const ERROR: &str = "gristmill-error";
/// The error details, as JSON.
pub const DETAILS: &str = "gristmill-error-details";
/// The topic of the event.
pub const SOURCE_TOPIC: &str = "gristmill-source-topic";
/// The partition of the event.
pub const SOURCE_PARTITION: &str = "gristmill-source-partition";
/// The position of the event in its partition.
pub const SOURCE_POSITION: &str = "gristmill-source-position";
/// The event's own time, in milliseconds since the Unix epoch.
pub const SOURCE_TIME: &str = "gristmill-source-time";
/// When the job was first started, in milliseconds since the Unix epoch.
pub const FIRST_ATTEMPT: &str = "gristmill-first-attempt";
/// When the job was given up, in milliseconds since the Unix epoch.
pub const LAST_ATTEMPT: &str = "gristmill-last-attempt";
/// What the job's calls of models cost, in US dollars, as far as that is known.
pub const COST: &str = "gristmill-cost-usd";
/// The tokens that these calls sent.
pub const INPUT_TOKENS: &str = "gristmill-input-tokens";
/// The tokens that they were answered.
pub const OUTPUT_TOKENS: &str = "gristmill-output-tokens";
/// How often the job had already been replayed from the dead letters.
pub const REPLAYS: &str = "gristmill-replays";
/// On a replayed event: the dead letter that it replays, as topic/partition/position. Everything else that a replay needs
/// to know is read from there, so that nobody can make an event continue a job that it does not belong to.
pub const REPLAY_OF: &str = "gristmill-replay-of";
/// On a replayed event: the first stage to run again.
pub const FROM_STAGE: &str = "gristmill-from-stage";
/// On a submitted event: the job and its run, as `JOB;RUN`. The record of the job has to say the same: see
/// [`Jobs::claim`](crate::ports::Jobs::claim).
pub const SUBMITTED: &str = "gristmill-submitted";
/// On the dead letter of a submitted job: where its first event was, as pipeline/topic/partition/position.
pub const FIRST_PLACE: &str = "gristmill-first-place";
/// On a record without its payload: the object that holds it, as `NAME;sha256=HEX;size=BYTES`.
pub const PAYLOAD: &str = "gristmill-payload";
/// On a marker in the dead-letter topic: the position of the dead letter that was replayed, as partition/offset.
pub const REPLAYED: &str = "gristmill-replayed";
/// On such a marker: when it was replayed, in milliseconds since the Unix epoch.
pub const REPLAYED_AT: &str = "gristmill-replayed-at";
/// The prefix of Kafka Connect's headers for failures.
pub(super) const CONNECT: &str = "__connect.errors.";

/// Whether a header describes a job or a failure rather than the event itself. Attributes do not count: those that
/// another pipeline gave its item stay with our event.
#[must_use]
pub fn is_ours(header: &Header) -> bool {
    is_our_name(&header.name)
}

/// The same by the header's name.
#[must_use]
pub fn is_our_name(name: &str) -> bool {
    name == FAILURE_REASON
        || name.starts_with(CONNECT)
        || (name.starts_with("gristmill-") && !name.starts_with(ATTRIBUTE))
}
