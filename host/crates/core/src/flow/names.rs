//! Names of headers that Gristmill writes. Do not change: consumers read them.

/// The job, as pipeline/topic/partition/position.
pub const JOB_ID: &str = "gristmill-job-id";
/// The item.
pub const ITEM_ID: &str = "gristmill-item-id";
/// The prefix of an attribute's header, followed by the attribute's name.
pub const ATTRIBUTE: &str = "gristmill-attribute-";
/// The media type.
pub const CONTENT_TYPE: &str = "content-type";
/// The failure code, which is stable.
pub const FAILURE_REASON: &str = "failure_reason";
/// The stage where the job failed.
pub const STAGE: &str = "gristmill-stage";
/// SHA-256 of the module of that stage.
pub const MODULE: &str = "gristmill-module";
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
/// When the job was first started, in milliseconds since the Unix epoch.
pub const FIRST_ATTEMPT: &str = "gristmill-first-attempt";
/// When the job was given up, in milliseconds since the Unix epoch.
pub const LAST_ATTEMPT: &str = "gristmill-last-attempt";
/// How often the job had already been replayed from the dead letters.
pub const REPLAYS: &str = "gristmill-replays";
/// On a replayed event: the job it continues.
pub const REPLAY_OF: &str = "gristmill-replay-of";
/// On a replayed event: the first stage to run again.
pub const FROM_STAGE: &str = "gristmill-from-stage";
/// On a marker in the dead-letter topic: the position of the dead letter that was replayed, as partition/offset.
pub const REPLAYED: &str = "gristmill-replayed";
/// On such a marker: when it was replayed, in milliseconds since the Unix epoch.
pub const REPLAYED_AT: &str = "gristmill-replayed-at";
