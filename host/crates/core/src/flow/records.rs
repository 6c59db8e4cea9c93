//! The records that a job writes: its outputs, or its dead letter.

use std::sync::Arc;

use bytes::Bytes;

use super::documents::Document;
use super::names;
use super::pipeline::Pipeline;
use super::replay::Origin;
use crate::model::{Event, Failed, FailureKind, Finished, Header, ItemId, JobId, TRACEPARENT, Timestamp, TraceContext};
use crate::ports::Record;

/// The longest error text in a dead letter, in bytes.
const LONGEST_ERROR: usize = 512;
/// The longest error details in a dead letter, in bytes. Longer ones are left out, because truncated JSON is invalid.
const LONGEST_DETAILS: usize = 4 << 10;

/// Whether a header describes a job or a failure rather than the event itself. Attributes do not count: those that
/// another pipeline gave its item stay with our event.
#[must_use]
pub fn is_ours(header: &Header) -> bool {
    let name = header.name.as_str();
    name == names::FAILURE_REASON
        || name.starts_with(CONNECT)
        || (name.starts_with("gristmill-") && !name.starts_with(names::ATTRIBUTE))
}

/// The prefix of Kafka Connect's headers for failures.
const CONNECT: &str = "__connect.errors.";

/// What the outputs of a job have in common.
pub(super) struct Emitted<'a> {
    pub(super) job: &'a JobId,
    pub(super) event: &'a Event,
    /// `None` if the event does not name one.
    pub(super) document: Option<&'a Document>,
    pub(super) trace: TraceContext,
}

impl Emitted<'_> {
    /// The record of one output, with the item's own headers, its media type, its attributes, the ids that identify
    /// repeats, and the trace.
    pub(super) fn record(&self, pipeline: &Pipeline, end: Finished) -> Record {
        let item = end.item;
        let mut headers = item.headers;
        if let Some(content_type) = item.content_type {
            headers.retain(|header| !header.name.eq_ignore_ascii_case(names::CONTENT_TYPE));
            headers.push(text(names::CONTENT_TYPE, content_type));
        }
        self.identify(&mut headers, Some(&item.id));
        for attribute in item.attributes {
            headers.push(text(&format!("{}{}", names::ATTRIBUTE, attribute.name), attribute.value));
        }
        headers.retain(|header| !header.name.eq_ignore_ascii_case(TRACEPARENT));
        headers.push(text(TRACEPARENT, self.trace.to_string()));
        Record {
            topic: end.topic.unwrap_or_else(|| Arc::clone(&pipeline.output_topic)),
            key: match pipeline.documents {
                Some(_) => Some(Bytes::copy_from_slice(item.id.as_str().as_bytes())),
                None => item.key,
            },
            payload: Some(item.payload),
            headers,
            timestamp: self.event.timestamp,
        }
    }

    /// A record that deletes what has this key: an item, or everything that is left of the event's document.
    pub(super) fn tombstone(&self, topic: Arc<str>, key: Option<Bytes>, item: Option<&ItemId>) -> Record {
        let mut headers = Vec::new();
        self.identify(&mut headers, item);
        headers.push(text(TRACEPARENT, self.trace.to_string()));
        Record { topic, key, payload: None, headers, timestamp: self.event.timestamp }
    }

    fn identify(&self, headers: &mut Vec<Header>, item: Option<&ItemId>) {
        headers.push(text(names::JOB_ID, self.job.as_str().to_owned()));
        if let Some(document) = self.document {
            document.identify(headers);
        }
        headers.extend(item.map(|item| text(names::ITEM_ID, item.as_str().to_owned())));
    }
}

impl Document {
    fn identify(&self, headers: &mut Vec<Header>) {
        headers.push(text(names::DOCUMENT_ID, self.id.to_string()));
        headers.push(text(names::GENERATION, self.generation.to_string()));
    }
}

/// What a dead letter says about its event.
pub(super) struct DeadLetter<'a> {
    /// The stage that failed. `None` if none was reached, or if the broker rejected an output.
    pub(super) stage: Option<&'a str>,
    /// SHA-256 of its module.
    pub(super) module: Option<&'a str>,
    pub(super) failed: &'a Failed,
    /// `None` if the event does not name one.
    pub(super) document: Option<&'a Document>,
    pub(super) first_attempt: Timestamp,
    pub(super) last_attempt: Timestamp,
}

impl DeadLetter<'_> {
    /// The original record, plus headers that say why its job failed.
    pub(super) fn record(&self, pipeline: &Pipeline, origin: &Origin, event: &Event) -> Record {
        let failure = &self.failed.failure;
        let error = bounded(&failure.message, LONGEST_ERROR);
        let mut headers: Vec<Header> = event.headers.iter().filter(|header| !is_ours(header)).cloned().collect();
        let mut add = |name: &str, value: String| headers.push(text(name, value));
        add(names::FAILURE_REASON, failure.code.clone());
        let kind = match self.failed.kind {
            FailureKind::Rejected => "rejected",
            FailureKind::Fault => "fault",
        };
        add(names::FAILURE_KIND, kind.to_owned());
        add(names::ERROR, error.to_owned());
        if let Some(details) = failure.details.as_ref().filter(|details| details.len() <= LONGEST_DETAILS) {
            add(names::DETAILS, details.clone());
        }
        if let Some(stage) = self.stage {
            add(names::STAGE, stage.to_owned());
        }
        if let Some(module) = self.module {
            add(names::MODULE, module.to_owned());
        }
        let place = &event.id;
        add(names::ATTEMPTS, self.failed.attempts.to_string());
        add(names::JOB_ID, origin.job.as_str().to_owned());
        add(names::SOURCE_TOPIC, place.partition.topic.to_string());
        add(names::SOURCE_PARTITION, place.partition.index.to_string());
        add(names::SOURCE_POSITION, place.position.to_string());
        add(names::SOURCE_TIME, origin.first.time.0.to_string());
        add(names::FIRST_ATTEMPT, self.first_attempt.0.to_string());
        add(names::LAST_ATTEMPT, self.last_attempt.0.to_string());
        add(names::REPLAYS, origin.replays.to_string());
        if let Some(document) = self.document {
            document.identify(&mut headers);
        }
        if pipeline.dead_letter.connect_headers {
            let mut connect = |name: &str, value: String| headers.push(text(&format!("{CONNECT}{name}"), value));
            connect("topic", place.partition.topic.to_string());
            connect("partition", place.partition.index.to_string());
            connect("offset", place.position.to_string());
            connect("connector.name", pipeline.name.to_string());
            connect("stage", self.stage.unwrap_or_default().to_owned());
            connect("exception.class.name", failure.code.clone());
            connect("exception.message", error.to_owned());
        }
        Record {
            topic: pipeline.dead_letter.topic.shared(),
            key: event.key.clone(),
            payload: event.payload.clone(),
            headers,
            timestamp: event.timestamp,
        }
    }
}

fn text(name: &str, value: String) -> Header {
    Header { name: name.into(), value: Some(Bytes::from(value)) }
}

/// The start of a text, at most `most` bytes, cut at a character boundary.
fn bounded(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
