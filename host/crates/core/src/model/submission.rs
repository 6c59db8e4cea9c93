//! A job that was asked for, before any host has seen its event.

use sha2::{Digest, Sha256};

use super::caller::Owner;
use super::document::Stamp;
use super::event::Timestamp;
use super::header::Attribute;
use super::ids::{EventId, JobId};
use super::standing::Run;
use super::stored::StoredPayload;

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
    /// Of an event with this key and payload, wherever its bytes are: whether they are in an object depends on a setting, which
    /// may change. Do not change it: records of jobs in flight have it.
    #[must_use]
    pub fn of(key: Option<&[u8]>, payload: PayloadText<'_>) -> Self {
        match payload {
            PayloadText::Inline(bytes) => Self::of_bytes(key, &Sha256::digest(bytes).into()),
            PayloadText::Reference(header) => match header.parse::<StoredPayload>() {
                Ok(stored) => Self::of_bytes(key, &stored.sha256),
                // It refers to nothing: no payload is like it.
                Err(()) => Self::tagged(1, key, header.as_bytes()),
            },
        }
    }

    /// Of an event with this key and a payload with this SHA-256.
    #[must_use]
    pub fn of_bytes(key: Option<&[u8]>, sha256: &[u8; 32]) -> Self {
        Self::tagged(0, key, sha256)
    }

    fn tagged(tag: u8, key: Option<&[u8]>, payload: &[u8]) -> Self {
        let mut digest = Sha256::new();
        let length = key.map_or(u64::MAX, |key| u64::try_from(key.len()).unwrap_or(u64::MAX));
        digest.update(length.to_be_bytes());
        digest.update(key.unwrap_or_default());
        digest.update([tag]);
        digest.update(payload);
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
    /// The same request has come before, and this job of it is deleted: it was over for long.
    Forgotten,
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
    use crate::model::{ObjectName, ObjectOf};

    #[test]
    fn the_digest_of_an_event_stays_and_tells_its_parts_apart() {
        let inline = |key, payload: &'static str| EventDigest::of(key, PayloadText::Inline(payload.as_bytes()));
        let hex: String = inline(Some(b"k"), "part").0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "4befe73ebb91e7fcb6473039324d2d3212f813b0a6523a56ee09b298682f659e");
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

    #[test]
    fn an_event_is_the_same_wherever_its_payload_is() {
        let name = ObjectName::of("p", &JobId::submitted(1, &[0; 10]), ObjectOf::Input);
        let stored = StoredPayload { name, sha256: Sha256::digest(b"part").into(), size: 4 };
        let reference = EventDigest::of(None, PayloadText::Reference(&stored.to_string()));
        assert_eq!(reference, EventDigest::of(None, PayloadText::Inline(b"part")));
    }
}
