//! What flows inside a job.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::job::FAILURE_ATTRIBUTE;
use super::{Canonical, EventId, Header, Output, Size, Write};

/// Names one job: pipeline and event, so the same after every redelivery. Consumers of the outputs drop repeats by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Arc<str>);

impl JobId {
    /// The job of this event in this pipeline. Do not change the format: consumers deduplicate by it.
    #[must_use]
    pub fn new(pipeline: &str, event: &EventId) -> Self {
        Self(format!("{pipeline}/{event}").into())
    }

    /// The job that a replayed event says it continues, if that is one of this pipeline.
    #[must_use]
    pub fn replayed(pipeline: &str, id: &str) -> Option<Self> {
        let place = id.strip_prefix(pipeline)?.strip_prefix('/')?;
        let legal = id.len() <= LONGEST_ID && place.bytes().all(|byte| byte.is_ascii_graphic());
        (legal && place.split('/').count() == 3).then(|| Self(id.into()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Longer than any pipeline's name, topic and position together.
const LONGEST_ID: usize = 512;

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one item: the job's id for the event itself, then parent, stage and ordinal. The same on every replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemId(Arc<str>);

impl ItemId {
    /// The item that is the event itself.
    #[must_use]
    pub fn root(job: &JobId) -> Self {
        Self(Arc::clone(&job.0))
    }

    /// The `ordinal`-th output of `stage` for this item.
    #[must_use]
    pub fn child(&self, stage: &str, ordinal: usize) -> Self {
        Self(format!("{}/{stage}.{ordinal}", self.0).into())
    }

    /// All items of a job as the gathering `stage` takes them.
    #[must_use]
    pub fn gathered(job: &JobId, stage: &str) -> Self {
        Self(format!("{job}/{stage}.all").into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Small text that travels with an item from stage to stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Unique within one item.
    pub name: String,
    /// The value.
    pub value: String,
}

/// One unit of work inside a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub id: ItemId,
    /// The key its record will have.
    pub key: Option<Bytes>,
    /// The content.
    pub payload: Bytes,
    /// Media type of the content.
    pub content_type: Option<String>,
    /// Headers its record will have.
    pub headers: Vec<Header>,
    /// What stages said about it so far.
    pub attributes: Vec<Attribute>,
}

impl Item {
    /// What items have in common: the key and the attributes that are the same in all. Without content.
    #[must_use]
    pub fn common(id: ItemId, items: &[Self]) -> Self {
        let first = items.first();
        let everywhere = |attribute: &&Attribute| items.iter().all(|item| item.attributes.contains(attribute));
        Self {
            id,
            key: first.map(|item| item.key.clone()).filter(|key| items.iter().all(|item| item.key == *key)).flatten(),
            payload: Bytes::new(),
            content_type: None,
            headers: Vec::new(),
            attributes: first
                .map(|item| item.attributes.iter().filter(everywhere).cloned().collect())
                .unwrap_or_default(),
        }
    }

    /// Encodes all that an outcome can follow from.
    pub fn encode(&self, to: &mut Canonical<impl Write>) {
        let Self { id, key, payload, content_type, headers, attributes } = self;
        to.text(id.as_str());
        to.optional(key.as_deref(), Canonical::bytes);
        to.bytes(payload);
        to.optional(content_type.as_deref(), Canonical::text);
        to.list(headers.iter(), |to, header| header.encode(to));
        to.list(attributes.iter(), |to, attribute| attribute.encode(to));
    }
}

impl Size for Attribute {
    fn size(&self) -> usize {
        self.name.size() + self.value.size()
    }
}

impl Size for Item {
    fn size(&self) -> usize {
        let Self { id: _, key, payload, content_type: _, headers, attributes } = self;
        key.size() + payload.size() + headers.size() + attributes.size()
    }
}

impl Attribute {
    /// Encodes it.
    pub fn encode(&self, to: &mut Canonical<impl Write>) {
        let Self { name, value } = self;
        to.text(name);
        to.text(value);
    }
}

impl Header {
    /// Encodes it.
    pub fn encode(&self, to: &mut Canonical<impl Write>) {
        let Self { name, value } = self;
        to.text(name);
        to.optional(value.as_deref(), Canonical::bytes);
    }
}

/// Attribute names with this start belong to the host.
const HOST_ATTRIBUTES: &str = "sys.";
/// Header names with this start belong to the host.
const HOST_HEADERS: &str = "gristmill-";

impl Item {
    /// The item that an output of `stage` becomes: its key and attributes continue this item's. Names that are the
    /// host's are dropped.
    #[must_use]
    pub fn child(&self, stage: &str, ordinal: usize, output: Output) -> Self {
        let mut attributes = self.attributes.clone();
        // How a mended item once failed is of interest to nobody else.
        attributes.retain(|attribute| !attribute.name.starts_with(FAILURE_ATTRIBUTE));
        for new in output.attributes {
            if new.name.starts_with(HOST_ATTRIBUTES) {
                continue;
            }
            match attributes.iter_mut().find(|old| old.name == new.name) {
                Some(old) => old.value = new.value,
                None => attributes.push(new),
            }
        }
        let mut headers = output.headers;
        headers.retain(|header| !header.name.starts_with(HOST_HEADERS));
        Self {
            id: self.id.child(stage, ordinal),
            key: output.key.or_else(|| self.key.clone()),
            payload: output.payload,
            content_type: output.content_type,
            headers,
            attributes,
        }
    }
}
