//! A job that was asked for, before any host has seen its event.

use sha2::{Digest, Sha256};

use super::caller::Owner;
use super::document::Stamp;
use super::event::Timestamp;
use super::header::Attribute;
use super::ids::{EventId, JobId};
use super::standing::Run;

/// Jobs that were submitted together. The text of an UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub String);

/// A key of the client's that makes a repeated request the same request. At most 255 bytes of printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub String);

/// What an event must be, to be that of a job: anybody who can write to the topic can write a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventDigest(pub [u8; 32]);

/// The payload of an event, or where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadText<'a> {
    /// The bytes of the record.
    Inline(&'a [u8]),
    /// The header that refers to an object.
    Reference(&'a str),
}

impl EventDigest {
    /// Of an event with this key and payload. Do not change it: records of jobs in flight have it.
    #[must_use]
    pub fn of(key: Option<&[u8]>, payload: PayloadText<'_>) -> Self {
        let mut digest = Sha256::new();
        let length = key.map_or(u64::MAX, |key| u64::try_from(key.len()).unwrap_or(u64::MAX));
        digest.update(length.to_be_bytes());
        digest.update(key.unwrap_or_default());
        match payload {
            PayloadText::Inline(bytes) => {
                digest.update([0]);
                digest.update(bytes);
            }
            PayloadText::Reference(header) => {
                digest.update([1]);
                digest.update(header);
            }
        }
        Self(digest.finalize().into())
    }
}

/// A job, as it is written down before its event is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id.
    pub job: JobId,
    /// Who submitted it; `None` where there are no tokens.
    pub owner: Option<Owner>,
    /// The batch it is one of.
    pub batch: Option<BatchId>,
    /// The client's key, within the pipeline and the owner. The jobs of a batch have none: see [`Once`].
    pub once: Option<Once>,
    /// What its event will be.
    pub event: EventDigest,
    /// What the client calls it. By these it is found; they travel with the event, too.
    pub attributes: Vec<Attribute>,
    /// Whom to tell of its end.
    pub webhook: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// An idempotency key and what was sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of everything of the request that matters: body, media type, key, attributes. The same key with another
    /// digest is a mistake of the client's.
    pub request: [u8; 32],
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is written down.
    New,
    /// The same request has come before, as this job. If that is still accepted only, its event may be missing: publish it
    /// again, under the id of that job. A second event of a job is dropped by the flow.
    Before {
        /// The job.
        job: JobId,
        /// Whether the broker is known to have its event.
        is_published: bool,
    },
    /// The key has come with another request.
    Conflict,
}

/// An event that says it is the event of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job that it names.
    pub job: JobId,
    /// The run that it names.
    pub run: Run,
    /// Its place.
    pub place: EventId,
    /// What it is.
    pub event: EventDigest,
    /// When.
    pub at: Timestamp,
}

/// Whether it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is: the job runs as that.
    Granted {
        /// Where the event of its first run was: it names the document and its generation. `None` in the first run.
        first: Option<Stamp>,
        /// The first stage to run again, by its name; `None` reuses everything that was kept.
        from_stage: Option<String>,
    },
    /// It is, and somebody has asked to cancel the job before it began, or the run is over: nothing is to be done.
    Over,
    /// The job has another event already, or this is the event of a run before: a repeat, and nothing is to be done.
    Repeat,
    /// No such job, no such run, or another event: it is an event of its own.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_an_event_stays_and_tells_its_parts_apart() {
        let inline = |key, payload: &'static str| EventDigest::of(key, PayloadText::Inline(payload.as_bytes()));
        let hex: String = inline(Some(b"k"), "part").0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "c3a01450a98e6a8c9f8adaac893afdb75ad418c4004c1331518876c22b6c52c6");
        let all = [
            inline(Some(b"k"), "part"),
            inline(Some(b"kp"), "art"),
            inline(None, "kpart"),
            inline(Some(b""), "kpart"),
            EventDigest::of(Some(b"k"), PayloadText::Reference("part")),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().map(|digest| digest.0).collect();
        assert_eq!(different.len(), all.len());
    }
}
