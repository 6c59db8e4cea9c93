//! What flows inside a job.

use bytes::Bytes;

use super::canonical::{Canonical, Write};
use super::header::{Attribute, Header};
use super::ids::ItemId;
use super::outcome::Output;
use super::size::Size;

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

impl Size for Item {
    fn size(&self) -> usize {
        let Self { id: _, key, payload, content_type: _, headers, attributes } = self;
        key.size() + payload.size() + headers.size() + attributes.size()
    }
}

/// The attributes by which a rescuing stage learns of the failure: with "stage", "code" and "message" at the end.
pub(super) const FAILURE_ATTRIBUTE: &str = "sys.failure.";
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
        // How a repaired item failed before concerns nobody else.
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
