//! What is written: the records of a job's outputs, and its dead letter.

use std::sync::Arc;

use bytes::Bytes;

use super::Pipeline;
use crate::model::{Event, Failed, Header, Item, JobId};
use crate::ports::Record;

/// The longest error text in a dead letter, in bytes.
const LONGEST_ERROR: usize = 512;

/// Names of headers that Gristmill writes. Do not change: consumers read them.
pub(super) mod names {
    pub(crate) const JOB_ID: &str = "gristmill-job-id";
    pub(crate) const ITEM_ID: &str = "gristmill-item-id";
    pub(crate) const ATTRIBUTE: &str = "gristmill-attribute-";
    pub(crate) const CONTENT_TYPE: &str = "content-type";
    pub(crate) const FAILURE_REASON: &str = "failure_reason";
    pub(crate) const STAGE: &str = "gristmill-stage";
    pub(crate) const ATTEMPTS: &str = "gristmill-attempts";
    pub(crate) const ERROR: &str = "gristmill-error";
    pub(crate) const DETAILS: &str = "gristmill-error-details";
    pub(crate) const SOURCE_TOPIC: &str = "gristmill-source-topic";
    pub(crate) const SOURCE_PARTITION: &str = "gristmill-source-partition";
    pub(crate) const SOURCE_POSITION: &str = "gristmill-source-position";
}

/// The record of one output: the item's own headers, its media type, its attributes and the ids to find repeats by.
pub(super) fn output(pipeline: &Pipeline, job: &JobId, event: &Event, item: Item) -> Record {
    let mut headers = item.headers;
    if let Some(content_type) = item.content_type {
        headers.retain(|header| !header.name.eq_ignore_ascii_case(names::CONTENT_TYPE));
        headers.push(text(names::CONTENT_TYPE, content_type));
    }
    headers.push(text(names::JOB_ID, job.as_str().to_owned()));
    headers.push(text(names::ITEM_ID, item.id.as_str().to_owned()));
    for attribute in item.attributes {
        headers.push(text(&format!("{}{}", names::ATTRIBUTE, attribute.name), attribute.value));
    }
    Record {
        topic: Arc::clone(&pipeline.output_topic),
        key: item.key,
        payload: Some(item.payload),
        headers,
        timestamp: event.timestamp,
    }
}

/// The dead letter of an event: the record as it was, and why it could not be finished.
pub(super) fn dead_letter(
    pipeline: &Pipeline,
    job: &JobId,
    event: &Event,
    stage: Option<&str>,
    failed: &Failed,
) -> Record {
    let ours = |header: &Header| header.name == names::FAILURE_REASON || header.name.starts_with("gristmill-");
    let mut headers: Vec<Header> = event.headers.iter().filter(|header| !ours(header)).cloned().collect();
    headers.push(text(names::FAILURE_REASON, failed.failure.code.clone()));
    headers.push(text(names::ERROR, bounded(&failed.failure.message, LONGEST_ERROR).to_owned()));
    if let Some(details) = &failed.failure.details {
        headers.push(text(names::DETAILS, details.clone()));
    }
    if let Some(stage) = stage {
        headers.push(text(names::STAGE, stage.to_owned()));
    }
    headers.push(text(names::ATTEMPTS, failed.attempts.to_string()));
    headers.push(text(names::JOB_ID, job.as_str().to_owned()));
    headers.push(text(names::SOURCE_TOPIC, event.id.partition.topic.to_string()));
    headers.push(text(names::SOURCE_PARTITION, event.id.partition.index.to_string()));
    headers.push(text(names::SOURCE_POSITION, event.id.position.to_string()));
    Record {
        topic: Arc::clone(&pipeline.dead_letter_topic),
        key: event.key.clone(),
        payload: event.payload.clone(),
        headers,
        timestamp: event.timestamp,
    }
}

fn text(name: &str, value: String) -> Header {
    Header { name: name.into(), value: Some(Bytes::from(value)) }
}

/// The start of a text, at most so many bytes, cut between characters.
fn bounded(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
