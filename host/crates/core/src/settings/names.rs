//! Names of pipelines, stages, models and topics.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The maximum length of a name. Names are part of job ids, headers and metrics.
const LONGEST_NAME: usize = 64;
/// Kafka's own limit.
const LONGEST_TOPIC: usize = 249;

const NAME_FORM: &str = "names have 1 to 64 of a-z, 0-9 and \"-\"";
const TOPIC_FORM: &str = "topics have 1 to 249 of a-z, A-Z, 0-9, \".\", \"_\" and \"-\"";

/// Whether a text can name a pipeline, a stage or a model.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(legal)
}

/// Whether a text can name a topic, by Kafka's own rule.
#[must_use]
pub fn is_topic(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=LONGEST_TOPIC).contains(&text.len()) && text.chars().all(legal) && text != "." && text != ".."
}

/// The name of a pipeline, a stage, a branch or a model: 1 to 64 of a-z, 0-9 and "-".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The name of a topic, as Kafka allows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl Name {
    /// The text, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// A name; `None` if the text is not a valid one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.into()))
    }
}

impl TopicName {
    /// The text, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// A topic's name; `None` if the text is not a valid one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        is_topic(text).then(|| Self(text.into()))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Deref for TopicName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Serialize for TopicName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| D::Error::custom(NAME_FORM))
    }
}

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| D::Error::custom(TOPIC_FORM))
    }
}

impl JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[a-z0-9-]{1,64}$",
            "x-noun": "name",
            "x-form": NAME_FORM,
        })
    }
}

impl JsonSchema for TopicName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TopicName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,249}$",
            "x-noun": "topic",
            "x-form": TOPIC_FORM,
        })
    }
}

/// The schema of a table whose keys are [names](Name): `#[schemars(schema_with = "by_name::<V>")]`.
pub fn by_name<V: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let names = generator.subschema_for::<Name>();
    let values = generator.subschema_for::<V>();
    json_schema!({ "type": "object", "propertyNames": names, "additionalProperties": values })
}
