//! Names of headers that Gristmill writes. Do not change: consumers read them.

/// The job, as pipeline/topic/partition/position.
pub const JOB_ID: &str = "gristmill-job-id";
/// The item.
pub const ITEM_ID: &str = "gristmill-item-id";
/// With the attribute's name at the end.
pub const ATTRIBUTE: &str = "gristmill-attribute-";
/// The media type.
pub const CONTENT_TYPE: &str = "content-type";
/// The stable token that says why.
pub const FAILURE_REASON: &str = "failure_reason";
/// Where the job failed.
pub const STAGE: &str = "gristmill-stage";
/// SHA-256 of the module of that stage.
pub const MODULE: &str = "gristmill-module";
/// How often it was tried there.
pub const ATTEMPTS: &str = "gristmill-attempts";
/// Why, for people.
pub const ERROR: &str = "gristmill-error";
/// Why, as JSON.
pub const DETAILS: &str = "gristmill-error-details";
/// Where the event came from.
pub const SOURCE_TOPIC: &str = "gristmill-source-topic";
/// Where the event came from.
pub const SOURCE_PARTITION: &str = "gristmill-source-partition";
/// Where the event came from.
pub const SOURCE_POSITION: &str = "gristmill-source-position";
/// When the job was first begun, in milliseconds since the Unix epoch.
pub const FIRST_ATTEMPT: &str = "gristmill-first-attempt";
/// When it was given up.
pub const LAST_ATTEMPT: &str = "gristmill-last-attempt";
/// How often it was replayed from the dead letters before.
pub const REPLAYS: &str = "gristmill-replays";
/// On a replayed event: the job that it continues.
pub const REPLAY_OF: &str = "gristmill-replay-of";
/// On a replayed event: the first stage that is to be run anew.
pub const FROM_STAGE: &str = "gristmill-from-stage";
/// On a mark in the dead-letter topic: the place of the letter that was replayed, as partition/offset.
pub const REPLAYED: &str = "gristmill-replayed";
/// On such a mark: when, in milliseconds since the Unix epoch.
pub const REPLAYED_AT: &str = "gristmill-replayed-at";
