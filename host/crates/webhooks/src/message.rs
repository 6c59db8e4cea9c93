//! What a receiver gets.

use std::time::{Duration, UNIX_EPOCH};

use gristmill_core::model::{Ended, JobRecord, Phase, Timestamp};
use gristmill_core::ports::Delivery;
use serde::Serialize;
use serde_json::Value;

use super::signature::Secrets;

/// A message, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The same for all tries: receivers recognise repeats by it.
    pub(crate) id: String,
    /// When it was signed, in seconds since 1970: receivers refuse old ones.
    pub(crate) seconds: i64,
    /// One signature for each secret.
    pub(crate) signature: String,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: String,
    data: &'a Value,
}

/// What is said of the end of a job. `None` if the job does not say that any more, because it was run again: the end of the
/// new run is told.
pub(crate) fn kind(delivery: &Delivery, record: &JobRecord) -> Option<&'static str> {
    let is_over = record.run == delivery.run && record.standing.phase == Phase::Ended;
    match record.ended.filter(|_| is_over)? {
        Ended::Completed => Some("job.completed"),
        Ended::Failed => Some("job.failed"),
        Ended::Cancelled => Some("job.cancelled"),
    }
}

impl Message {
    /// The message of a delivery, signed now. `shown` is the job as the API shows it.
    pub(crate) fn new(
        delivery: &Delivery,
        (kind, ended, shown): (&'static str, Timestamp, &Value),
        secrets: &Secrets,
        now: Timestamp,
    ) -> serde_json::Result<Self> {
        let since = Duration::from_millis(u64::try_from(ended.0).unwrap_or(0));
        let timestamp = humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string();
        let body = serde_json::to_vec(&Body { r#type: kind, timestamp, data: shown })?;
        let (id, seconds) = (format!("{};{}", delivery.job, delivery.run.0), now.0.div_euclid(1_000));
        Ok(Self { signature: secrets.sign(&id, seconds, &body), id, seconds, body })
    }
}
