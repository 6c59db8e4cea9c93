//! Constructors and helpers for the types of the WIT package.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Attribute, Branch, ConfigFault, Descriptor, Failure, Header, Item, Outcome, Output};

/// The configuration of a stage that has none: an empty table.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

impl Descriptor {
    /// A stage without configuration that accepts any media type and has only the default branch.
    #[must_use]
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            config_schema_json: None,
            accepts: Vec::new(),
            branches: Vec::new(),
            max_batch: None,
        }
    }

    /// Sets the JSON Schema (2020-12) that the host checks the configuration against.
    #[must_use]
    pub fn config_schema(mut self, schema_json: &str) -> Self {
        self.config_schema_json = Some(schema_json.into());
        self
    }

    /// Sets the accepted media types, "*" allowed after the slash. The host rejects items of other types.
    #[must_use]
    pub fn accepts(mut self, media_types: &[&str]) -> Self {
        self.accepts = media_types.iter().map(|media_type| (*media_type).into()).collect();
        self
    }

    /// Declares a branch that outputs may name.
    #[must_use]
    pub fn branch(mut self, label: &str, description: &str) -> Self {
        self.branches.push(Branch { label: label.into(), description: description.into() });
        self
    }

    /// Lets the host hand up to so many items to one [`Stage::process_batch`](crate::Stage::process_batch).
    #[must_use]
    pub fn max_batch(mut self, items: u32) -> Self {
        self.max_batch = Some(items);
        self
    }
}

impl ConfigFault {
    /// A fault at a JSON Pointer into the configuration ("" for all of it).
    #[must_use]
    pub fn new(pointer: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl Item {
    /// The payload as text; `None` if it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok()
    }

    /// The media type in lower case, without parameters: "text/html" for "Text/HTML; charset=utf-8".
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let full = self.content_type.as_deref()?;
        let bare = full.split(';').next().unwrap_or(full).trim();
        (!bare.is_empty()).then(|| bare.to_ascii_lowercase())
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
    }

    /// The value of the first header of that name that has one in UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|header| header.name == name)
            .find_map(|header| header.value.as_deref().and_then(|value| std::str::from_utf8(value).ok()))
    }

    /// An item for unit tests, with this payload and media type, fixed ids and nothing else.
    #[must_use]
    pub fn sample(payload: impl Into<Vec<u8>>, content_type: Option<&str>) -> Self {
        Self {
            id: "sample".into(),
            job_id: "sample/in/0/0".into(),
            document: "sample".into(),
            generation: "0-0".into(),
            source: crate::Source { topic: "sample".into(), partition: 0, position: "0".into() },
            key: None,
            payload: payload.into(),
            content_type: content_type.map(Into::into),
            headers: Vec::new(),
            attributes: Vec::new(),
            timestamp: 0,
            attempt: 1,
            seed: 0,
        }
    }
}

/// An output with the item's payload, media type, headers and (by default) key; change only what differs.
impl From<&Item> for Output {
    fn from(item: &Item) -> Self {
        Self {
            payload: item.payload.clone(),
            content_type: item.content_type.clone(),
            key: None,
            headers: item.headers.clone(),
            attributes: Vec::new(),
            branch: None,
        }
    }
}

/// The same from an item that is no longer needed: nothing is copied.
impl From<Item> for Output {
    fn from(item: Item) -> Self {
        let Item { payload, content_type, headers, .. } = item;
        Self { payload, content_type, key: None, headers, attributes: Vec::new(), branch: None }
    }
}

impl Output {
    /// Replaces the payload.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Replaces the media type.
    #[must_use]
    pub fn content_type(mut self, media_type: &str) -> Self {
        self.content_type = Some(media_type.into());
        self
    }

    /// Sets an attribute, replacing an earlier value.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.retain(|attribute| attribute.name != name);
        self.attributes.push(Attribute { name: name.into(), value: value.to_string() });
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header { name: name.into(), value: Some(value.into()) });
        self
    }

    /// Routes this output to a declared branch.
    #[must_use]
    pub fn branch(mut self, label: &str) -> Self {
        self.branch = Some(label.into());
        self
    }
}

impl Outcome {
    /// Emits one item.
    #[must_use]
    pub fn one(output: Output) -> Self {
        Self::Emit(vec![output])
    }

    /// Rejects the item: the data is bad and no retry will help. `code` is stable and kebab-case; the message may reach
    /// logs and the dead-letter topic.
    #[must_use]
    pub fn reject(code: &str, message: impl Into<String>) -> Self {
        Self::Reject(Failure::new(code, message))
    }

    /// Drops the item on purpose, with a stable kebab-case code.
    #[must_use]
    pub fn drop(code: &str) -> Self {
        Self::Drop(code.into())
    }
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details_json: None }
    }

    /// Adds details for the dead letter.
    #[must_use]
    pub fn details(mut self, details: &serde_json::Value) -> Self {
        self.details_json = Some(details.to_string());
        self
    }
}
