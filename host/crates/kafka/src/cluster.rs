//! What a configuration file says of a cluster: which brokers, properties of librdkafka, how missing topics are created.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::str::FromStr;

use gristmill_core::settings::{SecretError, SecretRef};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::ExposeSecret;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::admin::Creation;
use super::faults::{self, PropertyFault};
use super::settings::Settings;

/// The Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// `"embedded"`, or `"host:port"`, several separated by commas; the port is required, and IPv6 addresses go in
    /// brackets. `"embedded:19092"` gives the embedded broker a port at which `send`, `tail` and `dlq` find it by this
    /// file. `GRISTMILL_BROKERS` overrides it in `run`, `send`, `tail` and `dlq`.
    #[schemars(extend("x-add" = r#"brokers = "embedded", or "host:port""#))]
    pub brokers: Brokers,
    /// librdkafka properties by name, quoted or dotted; each a string, number, boolean or secret.
    #[serde(default)]
    pub properties: Properties,
    /// `{ partitions = 1…10000, replication = 1…100 }`, both required: creates missing topics. Without it they must
    /// exist. The embedded broker always creates them, with 1 partition if this is absent; its replication is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_topics: Option<Creation>,
}

/// Which brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brokers {
    /// One inside this process, in memory.
    Embedded {
        /// Where it listens on this machine, besides the port that it has anyway.
        port: Option<NonZeroU16>,
    },
    /// Where to reach a cluster: "host:port", several separated by commas.
    Addresses(String),
}

/// Why a text names no brokers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no broker: {BROKERS_FORM}")]
pub struct BadBrokers(pub String);

const BROKERS_FORM: &str = r#"write "embedded", or "host:port" separated by commas, without a scheme"#;
/// What the embedded broker is called.
const EMBEDDED: &str = "embedded";

impl FromStr for Brokers {
    type Err = BadBrokers;

    /// A port is required, because without it every misspelt "embedded" would be a host.
    fn from_str(text: &str) -> Result<Self, BadBrokers> {
        let bad = |text: &str| BadBrokers(text.to_owned());
        if text == EMBEDDED {
            return Ok(Self::Embedded { port: None });
        }
        if let Some(port) = text.strip_prefix(EMBEDDED).and_then(|rest| rest.strip_prefix(':')) {
            return Ok(Self::Embedded { port: Some(number(port).ok_or_else(|| bad(text))?) });
        }
        let mut addresses = Vec::new();
        for address in text.split(',').map(str::trim) {
            let (host, port) = address.rsplit_once(':').ok_or_else(|| bad(address))?;
            if !is_host(host) || number(port).is_none() {
                return Err(bad(address));
            }
            addresses.push(address);
        }
        Ok(Self::Addresses(addresses.join(",")))
    }
}

/// A port, in digits only.
fn number(port: &str) -> Option<NonZeroU16> {
    port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten()
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !host.is_empty() && host != EMBEDDED && host.bytes().all(legal)
        }
    }
}

impl Serialize for Brokers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Embedded { port: None } => serializer.serialize_str(EMBEDDED),
            Self::Embedded { port: Some(port) } => serializer.serialize_str(&format!("{EMBEDDED}:{port}")),
            Self::Addresses(addresses) => serializer.serialize_str(addresses),
        }
    }
}

impl<'de> Deserialize<'de> for Brokers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Brokers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Brokers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let port = "0*(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})";
        let address = format!(r"\s*([A-Za-z0-9._-]+|\[[0-9A-Fa-f.]*(:[0-9A-Fa-f.]*){{2,7}}\]):{port}\s*");
        json_schema!({
            "type": "string",
            "pattern": format!("^({EMBEDDED}(:{port})?|{address}(,{address})*)$"),
            "x-fault": "names no broker: {value}",
            "x-form": BROKERS_FORM,
        })
    }
}

/// Properties of librdkafka by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(pub BTreeMap<String, Property>);

/// The value of a property.
#[derive(Clone, PartialEq, Eq)]
pub enum Property {
    /// As it stands in the file; numbers and booleans as text.
    Plain(String),
    /// A secret that the value is read from.
    Secret(SecretRef),
}

impl fmt::Debug for Property {
    /// Without plain values: some write their passwords into the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(..)"),
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
        }
    }
}

/// A property whose secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the Kafka property {property} has no value")]
pub struct NoValue {
    /// Its name.
    pub property: String,
    /// Why.
    pub source: SecretError,
}

impl Cluster {
    /// These brokers, with the defaults.
    #[must_use]
    pub fn new(brokers: Brokers) -> Self {
        Self { brokers, properties: Properties::default(), create_topics: None }
    }

    /// How to reach the cluster, secrets read. The brokers are empty for the embedded one.
    ///
    /// # Errors
    /// A secret that cannot be read.
    pub fn settings(&self) -> Result<Settings, NoValue> {
        let mut properties = BTreeMap::new();
        for (name, property) in &self.properties.0 {
            let value = match property {
                Property::Plain(value) => value.clone(),
                Property::Secret(secret) => match secret.read() {
                    Ok(secret) => secret.expose_secret().to_owned(),
                    Err(source) => return Err(NoValue { property: name.clone(), source }),
                },
            };
            properties.insert(name.clone(), value);
        }
        let brokers = match &self.brokers {
            Brokers::Addresses(addresses) => addresses.clone(),
            Brokers::Embedded { .. } => String::new(),
        };
        Ok(Settings { brokers, properties })
    }
}

impl Properties {
    /// JSON Pointers, from the table of properties, to those that are written twice: with dots and in quotes.
    #[must_use]
    pub fn written_twice(table: &Map<String, Value>) -> Vec<(String, String)> {
        let (mut seen, mut twice) = (BTreeMap::new(), Vec::new());
        walk(table, "", "", &mut |name, pointer, _| {
            if seen.insert(name.to_owned(), ()).is_some() {
                twice.push((name.to_owned(), pointer.to_owned()));
            }
        });
        twice
    }

    /// JSON Pointers, from the table of properties, by the name of the property.
    #[must_use]
    pub fn pointers(table: &Map<String, Value>) -> BTreeMap<String, String> {
        let mut pointers = BTreeMap::new();
        walk(table, "", "", &mut |name, pointer, _| {
            pointers.insert(name.to_owned(), pointer.to_owned());
        });
        pointers
    }

    /// Those of a table that are a value or a secret; what is neither is left out.
    #[must_use]
    pub fn of(table: &Map<String, Value>) -> Self {
        let mut properties = BTreeMap::new();
        walk(table, "", "", &mut |name, _, value| {
            if let Ok(property) = property(value) {
                properties.insert(name.to_owned(), property);
            }
        });
        Self(properties)
    }

    /// What is wrong with single properties, as far as it shows without reading secrets.
    #[must_use]
    pub fn faults(&self) -> Vec<PropertyFault> {
        faults::of(self.0.iter().map(|(name, property)| match property {
            Property::Plain(value) => (name.as_str(), Some(value.as_str())),
            Property::Secret(_) => (name.as_str(), None),
        }))
    }

    /// Those that are no secrets, for a look at how they fit each other.
    #[must_use]
    pub fn plain(&self) -> Settings {
        let plain = self.0.iter().filter_map(|(name, property)| match property {
            Property::Plain(value) => Some((name.clone(), value.clone())),
            Property::Secret(_) => None,
        });
        Settings { properties: plain.collect(), ..Settings::default() }
    }
}

/// `a.b = "c"` without quotes is a table in a table for TOML, and the property "a.b" for us.
fn walk(table: &Map<String, Value>, prefix: &str, pointer: &str, found: &mut dyn FnMut(&str, &str, &Value)) {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(nested) if !nested.contains_key("env") && !nested.contains_key("file") => {
                walk(nested, &format!("{name}."), &pointer, found);
            }
            value => found(&name, &pointer, value),
        }
    }
}

fn property(value: &Value) -> Result<Property, serde_json::Error> {
    match value {
        Value::String(text) => Ok(Property::Plain(text.clone())),
        Value::Number(number) => Ok(Property::Plain(number.to_string())),
        Value::Bool(boolean) => Ok(Property::Plain(boolean.to_string())),
        value => SecretRef::deserialize(value).map(Property::Secret),
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Map::<String, Value>::deserialize(deserializer)?;
        let (mut properties, mut wrong) = (BTreeMap::new(), None);
        walk(&table, "", "", &mut |name, _, value| match property(value) {
            Ok(property) => {
                properties.insert(name.to_owned(), property);
            }
            Err(error) => wrong = Some(format!("{name}: {error}")),
        });
        match wrong {
            Some(wrong) => Err(D::Error::custom(wrong)),
            None => Ok(Self(properties)),
        }
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl Serialize for Property {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => serializer.serialize_str(text),
            Self::Secret(secret) => secret.serialize(serializer),
        }
    }
}

impl JsonSchema for Properties {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Properties".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let property = generator.subschema_for::<Property>();
        json_schema!({ "type": "object", "additionalProperties": property })
    }
}

impl JsonSchema for Property {
    fn schema_name() -> Cow<'static, str> {
        "Property".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretRef>();
        json_schema!({
            "if": { "type": "object" },
            "then": {
                "if": { "anyOf": [{ "required": ["env"] }, { "required": ["file"] }] },
                "then": secret,
                "else": { "additionalProperties": { "$ref": "#/$defs/Property" } },
            },
            "else": {
                "type": ["string", "number", "boolean"],
                "x-form": r#"or a secret: { env = "NAME" }, { file = "path" }"#,
            },
        })
    }
}
