//! The records that a job writes: its outputs, or its dead letter.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::documents::Document;
use super::names::{self, is_ours};
use super::pipeline::Pipeline;
use super::replay::{Origin, Via, text as value};
use crate::model::{
    Event, Failed, FailureKind, Finished, Header, ItemId, JobId, Spent, StoredPayload, TRACEPARENT, Timestamp,
    TraceContext, sha256,
};
use crate::ports::Record;

/// The longest error text in a dead letter, in bytes.
const LONGEST_ERROR: usize = 512;
/// The longest error details in a dead letter, in bytes. Longer ones are left out, because truncated JSON is invalid.
const LONGEST_DETAILS: usize = 4 << 10;

/// The most headers that identify an output: its media type, job, document, generation, item, digest, modules and trace.
const IDENTIFYING: usize = 8;

/// What the outputs of a job have in common.
pub(super) struct Emitted<'a> {
    pub(super) job: &'a JobId,
    pub(super) event: &'a Event,
    /// `None` if the event does not name one.
    pub(super) document: Option<&'a Document>,
    pub(super) trace: TraceContext,
    /// The modules of the stages, as the deployment renders them.
    pub(super) modules: &'a Bytes,
}

impl Emitted<'_> {
    /// The record of one output, with the item's own headers, its media type, its attributes, the ids and the digest by
    /// which a repeat is recognised, and the trace.
    pub(super) fn record(&self, pipeline: &Pipeline, end: Finished) -> Record {
        let item = end.item;
        let mut headers = item.headers;
        headers.reserve_exact(IDENTIFYING + item.attributes.len());
        if let Some(content_type) = item.content_type {
            headers.retain(|header| !header.name.eq_ignore_ascii_case(names::CONTENT_TYPE));
            headers.push(text(names::CONTENT_TYPE, content_type));
        }
        self.identify(&mut headers, Some(&item.id));
        headers.push(text(names::OUTPUT_SHA256, sha256(&item.payload)));
        headers.push(header(names::STAGE_VERSIONS, self.modules.clone()));
        for attribute in item.attributes {
            headers.push(text([names::ATTRIBUTE, &attribute.name].concat(), attribute.value));
        }
        headers.retain(|header| !header.name.eq_ignore_ascii_case(TRACEPARENT));
        headers.push(header(TRACEPARENT, Bytes::copy_from_slice(&self.trace.text())));
        Record {
            topic: end.topic.unwrap_or_else(|| Arc::clone(&pipeline.output_topic)),
            partition: None,
            key: match pipeline.documents {
                Some(_) => Some(item.id.bytes()),
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
        headers.push(header(TRACEPARENT, Bytes::copy_from_slice(&self.trace.text())));
        Record { topic, partition: None, key, payload: None, headers, timestamp: self.event.timestamp }
    }

    fn identify(&self, headers: &mut Vec<Header>, item: Option<&ItemId>) {
        headers.push(header(names::JOB_ID, self.job.bytes()));
        if let Some(document) = self.document {
            document.identify(headers);
        }
        headers.extend(item.map(|item| header(names::ITEM_ID, item.bytes())));
    }
}

impl Document {
    fn identify(&self, headers: &mut Vec<Header>) {
        headers.push(header(names::DOCUMENT_ID, self.id.bytes()));
        headers.push(text(names::GENERATION, self.generation.text()));
    }
}

/// What a dead letter says about its event.
pub(super) struct DeadLetter<'a> {
    /// The stage that failed. `None` if none was reached, or if the broker rejected an output.
    pub(super) stage: Option<&'a str>,
    /// SHA-256 of its module.
    pub(super) module: Option<&'a str>,
    /// The modules of all stages, as the deployment renders them.
    pub(super) modules: &'a Bytes,
    pub(super) failed: &'a Failed,
    /// `None` if the event does not name one.
    pub(super) document: Option<&'a Document>,
    pub(super) first_attempt: Timestamp,
    pub(super) last_attempt: Timestamp,
    /// What its calls of models took. `None` if it made none.
    pub(super) spent: Option<Spent>,
}

impl DeadLetter<'_> {
    /// The original record, plus headers that say why its job failed.
    pub(super) fn record(&self, pipeline: &Pipeline, origin: &Origin, event: &Event) -> Record {
        let failure = &self.failed.failure;
        let error = bounded(&failure.message, LONGEST_ERROR);
        let mut headers: Vec<Header> = event.headers.iter().filter(|header| !is_ours(header)).cloned().collect();
        let mut add = |name: &'static str, value: String| headers.push(text(name, value));
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
        headers.push(header(names::STAGE_VERSIONS, self.modules.clone()));
        let mut add = |name: &'static str, value: String| headers.push(text(name, value));
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
        if origin.via == Via::Api {
            add(names::FIRST_PLACE, JobId::new(&pipeline.name, &origin.first.place).to_string());
        }
        if let Some(reference) = value(&event.headers, names::PAYLOAD) {
            add(names::PAYLOAD, reference.to_owned());
        }
        if let Some(spent) = self.spent {
            add(names::COST, spent.cost.number());
            add(names::INPUT_TOKENS, spent.input_tokens.to_string());
            add(names::OUTPUT_TOKENS, spent.output_tokens.to_string());
        }
        if let Some(document) = self.document {
            document.identify(&mut headers);
        }
        if pipeline.dead_letter.connect_headers {
            let mut connect =
                |name: &str, value: String| headers.push(text(format!("{}{name}", names::CONNECT), value));
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
            partition: None,
            key: event.key.clone(),
            payload: event.payload.clone(),
            headers,
            timestamp: event.timestamp,
        }
    }
}

/// Moves a payload out of its record: it is kept as this object.
pub(super) fn refer_to(record: &mut Record, stored: &StoredPayload) {
    record.headers.push(text(names::PAYLOAD, stored.to_string()));
    // Not null, which would delete what has this key.
    record.payload = Some(Bytes::new());
}

fn text(name: impl Into<Cow<'static, str>>, value: String) -> Header {
    header(name, Bytes::from(value))
}

fn header(name: impl Into<Cow<'static, str>>, value: Bytes) -> Header {
    Header { name: name.into(), value: Some(value) }
}

/// The start of a text, at most `most` bytes, cut at a character boundary.
fn bounded(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::flow::Delivery;
    use crate::flow::documents::Document;
    use crate::flow::settings::{DeadLetter as Settings, DocumentName, Limits, Order, Tombstones};
    use crate::model::{
        Attribute, DocumentGeneration, DocumentId, EventId, Failure, Generation, Item, Partition, Position, Sampling,
        Stamp, Usd,
    };
    use crate::ports::{Documents, NoLetters, Observers, Sink, SinkError};
    use crate::settings::TopicName;

    struct Nowhere;

    #[async_trait::async_trait]
    impl Sink for Nowhere {
        async fn deliver(&self, _: Vec<Record>) -> Result<(), SinkError> {
            Ok(())
        }
    }

    fn pipeline(documents: Option<Arc<dyn Documents>>) -> Pipeline {
        Pipeline {
            name: "p".into(),
            content_type: None,
            document: DocumentName::Key,
            tombstones: Tombstones::Pass,
            documents,
            delivery: Delivery::AtLeastOnce(Arc::new(Nowhere)),
            output_topic: "out".into(),
            dead_letter: Settings { topic: TopicName::new("dead").unwrap(), connect_headers: true },
            letters: Arc::new(NoLetters),
            order: Order::Key,
            store: None,
            recording: None,
            offload: None,
            accounts: None,
            sampling: Sampling::default(),
            observer: Arc::new(Observers::default()),
            limits: Limits::default(),
            clock: || Timestamp(0),
        }
    }

    fn event() -> Event {
        let header = |name: &'static str| Header { name: name.into(), value: Some(Bytes::from_static(b"x")) };
        Event {
            id: EventId { partition: Partition { topic: "in".into(), index: 3 }, position: Position(42) },
            generation: Generation(1),
            key: Some(Bytes::from_static(b"a/b")),
            payload: Some(Bytes::from_static(b"whole")),
            headers: vec![header("mine"), header(names::JOB_ID), header(names::FAILURE_KIND)],
            timestamp: Timestamp(1_764_150_000_000),
            deliveries: None,
            fault: None,
        }
    }

    fn document() -> Document {
        let event = event();
        let record = Stamp { place: event.id, time: event.timestamp };
        Document { id: DocumentId::named(b"a/b"), generation: DocumentGeneration::of(&record) }
    }

    fn shown(record: &Record) -> String {
        let text = |bytes: Option<&Bytes>| String::from_utf8_lossy(bytes.map_or(b"null", |bytes| bytes)).into_owned();
        let mut shown = format!("{} {} {}\n", record.topic, text(record.key.as_ref()), text(record.payload.as_ref()));
        for header in &record.headers {
            writeln!(shown, "{}: {}", header.name, text(header.value.as_ref())).unwrap();
        }
        shown
    }

    /// docs/records.md is the contract: a change here breaks those who read the records.
    #[test]
    fn outputs_and_tombstones_stay() {
        let (event, document) = (event(), document());
        let job = JobId::new("p", &event.id);
        let trace = TraceContext::of_job(&job);
        let modules = Bytes::from_static(b"check=5b1e");
        let from = Emitted { job: &job, event: &event, document: Some(&document), trace, modules: &modules };
        let item = Item {
            id: ItemId::root(&document.id).child("chunk", 2),
            key: event.key.clone(),
            payload: Bytes::from_static(b"part"),
            content_type: Some("text/plain".into()),
            headers: vec![Header { name: "mine".into(), value: None }],
            attributes: vec![Attribute { name: "page".into(), value: "7".into() }],
        };
        let output = from.record(&pipeline(None), Finished { topic: None, item: item.clone() });
        assert_eq!(
            shown(&output),
            "out a/b part\n\
             mine: null\n\
             content-type: text/plain\n\
             gristmill-job-id: p/in/3/42\n\
             gristmill-document-id: a%2Fb\n\
             gristmill-document-generation: 1764150000000-42\n\
             gristmill-item-id: a%2Fb/chunk.2\n\
             gristmill-output-sha256: 37a680133bd09342f934afb8dd2c7d9e1b624da5f35e3a38adb103e37c055ed1\n\
             gristmill-stage-versions: check=5b1e\n\
             gristmill-attribute-page: 7\n\
             traceparent: 00-de0539cb4aa07385541251152cde2daf-abc37621620424a8-00\n"
        );
        let key = Some(Bytes::from_static(b"a%2Fb/chunk.2"));
        assert_eq!(
            shown(&from.tombstone("out".into(), key, Some(&item.id))),
            "out a%2Fb/chunk.2 null\n\
             gristmill-job-id: p/in/3/42\n\
             gristmill-document-id: a%2Fb\n\
             gristmill-document-generation: 1764150000000-42\n\
             gristmill-item-id: a%2Fb/chunk.2\n\
             traceparent: 00-de0539cb4aa07385541251152cde2daf-abc37621620424a8-00\n"
        );
    }

    #[test]
    fn the_dead_letter_of_a_submitted_job_says_where_its_first_event_and_its_payload_are() {
        let mut event = event();
        event.headers = vec![header(names::PAYLOAD, Bytes::from_static(b"p/x;sha256=00;size=7"))];
        let failed = Failed { failure: Failure::new("odd", "odd"), attempts: 1, kind: FailureKind::Fault };
        let (first_attempt, last_attempt) = (Timestamp(5), Timestamp(6));
        let letter = DeadLetter {
            stage: None,
            module: None,
            modules: &Bytes::from_static(b"check=5b1e"),
            failed: &failed,
            document: None,
            first_attempt,
            last_attempt,
            spent: None,
        };
        let origin = Origin { via: Via::Api, ..Origin::new(&event, "p") };
        let shown = shown(&letter.record(&pipeline(None), &origin, &event));
        let expected = "gristmill-first-place: p/in/3/42\ngristmill-payload: p/x;sha256=00;size=7\n";
        assert!(shown.contains(expected), "{shown}");
    }

    #[test]
    fn dead_letters_stay() {
        let (event, document) = (event(), document());
        let failed = Failed {
            failure: Failure { code: "too-odd".into(), message: "it is odd".into(), details: Some("{}".into()) },
            attempts: 1,
            kind: FailureKind::Rejected,
        };
        let letter = DeadLetter {
            stage: Some("check"),
            module: Some("5b1e"),
            modules: &Bytes::from_static(b"check=5b1e"),
            failed: &failed,
            document: Some(&document),
            first_attempt: Timestamp(5),
            last_attempt: Timestamp(6),
            spent: Some(Spent { input_tokens: 7, output_tokens: 8, cost: Usd::nano(1_500), ..Spent::default() }),
        };
        let pipeline = pipeline(None);
        let origin = Origin::new(&event, "p");
        assert_eq!(
            shown(&letter.record(&pipeline, &origin, &event)),
            "dead a/b whole\n\
             mine: x\n\
             failure_reason: too-odd\n\
             gristmill-failure-kind: rejected\n\
             gristmill-error: it is odd\n\
             gristmill-error-details: {}\n\
             gristmill-stage: check\n\
             gristmill-module: 5b1e\n\
             gristmill-stage-versions: check=5b1e\n\
             gristmill-attempts: 1\n\
             gristmill-job-id: p/in/3/42\n\
             gristmill-source-topic: in\n\
             gristmill-source-partition: 3\n\
             gristmill-source-position: 42\n\
             gristmill-source-time: 1764150000000\n\
             gristmill-first-attempt: 5\n\
             gristmill-last-attempt: 6\n\
             gristmill-replays: 0\n\
             gristmill-cost-usd: 0.0000015\n\
             gristmill-input-tokens: 7\n\
             gristmill-output-tokens: 8\n\
             gristmill-document-id: a%2Fb\n\
             gristmill-document-generation: 1764150000000-42\n\
             __connect.errors.topic: in\n\
             __connect.errors.partition: 3\n\
             __connect.errors.offset: 42\n\
             __connect.errors.connector.name: p\n\
             __connect.errors.stage: check\n\
             __connect.errors.exception.class.name: too-odd\n\
             __connect.errors.exception.message: it is odd\n"
        );
    }
}
