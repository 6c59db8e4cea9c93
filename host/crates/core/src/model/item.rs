//! Items: the values that flow through a job.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::canonical::{Canonical, Write};
use super::header::{Attribute, Header};
use super::item_id::ItemId;
use super::outcome::Output;
use super::size::Size;

/// One unit of work inside a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// The key of the record it will become.
    pub key: Option<Bytes>,
    /// The content.
    pub payload: Bytes,
    /// Media type of the content.
    pub content_type: Option<String>,
    /// The headers of the record it will become.
    pub headers: Vec<Header>,
    /// The attributes that stages have given it so far.
    pub attributes: Vec<Attribute>,
}

impl Item {
    /// What the items have in common: the key and the attributes that are equal in all of them. It has no content.
    #[must_use]
    pub fn common(id: ItemId, items: &[Self]) -> Self {
        let first = items.first();
        let others: Vec<HashSet<&Attribute>> =
            items.iter().skip(1).map(|item| item.attributes.iter().collect()).collect();
        let everywhere = |attribute: &&Attribute| others.iter().all(|attributes| attributes.contains(*attribute));
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

    /// Encodes everything that can affect the outcome.
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

/// What an item costs beside its contents, in bytes. Counted, because else a million empty items would be free.
const ITEM_OVERHEAD: usize = 512;
/// What a header or an attribute costs beside its contents, in bytes.
const PART_OVERHEAD: usize = 96;

impl Size for Item {
    fn size(&self) -> usize {
        let Self { id, key, payload, content_type, headers, attributes } = self;
        let contents = key.size() + payload.size() + content_type.size() + headers.size() + attributes.size();
        let parts = headers.len() + attributes.len();
        contents.saturating_add(id.as_str().len() + ITEM_OVERHEAD).saturating_add(parts.saturating_mul(PART_OVERHEAD))
    }
}

/// The prefix of the attributes that describe a failure to a rescue stage: "stage", "code", "message" and, where the failure
/// has them, "details" follow.
pub(crate) const FAILURE_ATTRIBUTE: &str = "sys.failure.";
/// Attribute names with this prefix belong to the host: a stage can neither set, change nor remove them. So all items of
/// a job have the same, those that gather them included.
pub(crate) const HOST_ATTRIBUTES: &str = "sys.";
/// So many attributes are compared one by one; among more, a name is looked up.
const FEW: usize = 32;
/// Header names with this prefix belong to the host.
const HOST_HEADERS: &str = "gristmill-";

impl Item {
    /// The item that an output of `stage` becomes. It inherits this item's attributes, and its key if the output has
    /// none. Attributes and headers with names reserved for the host are dropped from the output.
    #[must_use]
    pub fn child(&self, stage: &str, ordinal: usize, output: Output) -> Self {
        let mut attributes = self.attributes.clone();
        // The earlier failure of a repaired item concerns only its rescue stage.
        attributes.retain(|attribute| !attribute.name.starts_with(FAILURE_ATTRIBUTE));
        let many = attributes.len() + output.attributes.len() > FEW;
        let named = |(index, attribute): (usize, &Attribute)| (attribute.name.clone(), index);
        let mut places: Option<HashMap<String, usize>> =
            many.then(|| attributes.iter().enumerate().map(named).collect());
        for new in output.attributes {
            if new.name.starts_with(HOST_ATTRIBUTES) {
                continue;
            }
            let place = match &places {
                Some(places) => places.get(&new.name).copied(),
                None => attributes.iter().position(|old| old.name == new.name),
            };
            match place {
                Some(place) => attributes[place].value = new.value,
                None => {
                    if let Some(places) = &mut places {
                        places.insert(new.name.clone(), attributes.len());
                    }
                    attributes.push(new);
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DocumentId;

    fn attribute(name: impl ToString, value: &str) -> Attribute {
        Attribute { name: name.to_string(), value: value.into() }
    }

    fn item(attributes: Vec<Attribute>) -> Item {
        let id = ItemId::root(&DocumentId::named(b"d"));
        Item { id, key: None, payload: Bytes::new(), content_type: None, headers: Vec::new(), attributes }
    }

    fn output(attributes: Vec<Attribute>) -> Output {
        Output { payload: Bytes::new(), content_type: None, key: None, headers: Vec::new(), attributes, branch: None }
    }

    #[test]
    fn a_stage_replaces_and_adds_attributes_but_not_those_of_the_host() {
        // Among few and among many.
        for others in [0, 2 * FEW] {
            let others: Vec<Attribute> = (0..others).map(|number| attribute(number, "x")).collect();
            let old = [attribute("page", "1"), attribute("sys.tenant", "a"), attribute("sys.failure.code", "x")];
            let new = vec![
                attribute("kind", "k"),
                attribute("page", "2"),
                attribute("sys.tenant", "b"),
                attribute("kind", "l"),
            ];
            let child = item([&others[..], &old].concat()).child("s", 0, output(new));
            let expected = [attribute("page", "2"), attribute("sys.tenant", "a"), attribute("kind", "l")];
            assert_eq!(child.attributes, [&others[..], &expected].concat());
        }
    }

    #[test]
    fn an_empty_item_is_not_free() {
        let empty = item(Vec::new());
        assert!(empty.size() >= 512, "{}", empty.size());
        assert!(item(vec![attribute("", ""); 10]).size() >= empty.size() + 960);
    }

    #[test]
    fn many_attributes_cost_little() {
        let many: Vec<Attribute> = (0..200_000).map(|number| attribute(number, "x")).collect();
        let begun = std::time::Instant::now();
        let child = item(many.clone()).child("s", 0, output(many));
        let common = Item::common(child.id.clone(), &[child.clone(), child]);
        assert_eq!(common.attributes.len(), 200_000);
        // Quadratic work would take minutes.
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
