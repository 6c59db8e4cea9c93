//! What a pipeline file says of a stage.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use gristmill_core::flow::settings::{Checkpoint, RetryPolicy};
use gristmill_core::settings::{Name, TopicName, by_name, is_name};
use gristmill_llm::settings::StageBudget;
use gristmill_registry::Reference;
use gristmill_wasm::{Isolation, StageLimits};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::grants::Grants;

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSettings {
    /// A name, unique in the pipeline; not `sink` or `drop`. Part of item ids and of the header `gristmill-stage`.
    #[schemars(extend("x-add" = "name = \"…\"", "allOf" = [{
        "not": { "enum": ["sink", "drop"] },
        "x-fault": "cannot be {value}",
        "x-form": "in next and branches it means something else; name the stage otherwise"
    }]))]
    pub name: Name,
    /// What it does, for people who follow a job: `"Analysing entities"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), extend("x-show" = "the name"))]
    pub label: Option<String>,
    /// `"builtin:NAME"` (extract, chunk, language, sanitize, enrich, embed, validate, rescue), the path of a component of
    /// at most 64 MiB, or one in a registry: `"oci://REGISTRY/NAME@sha256:…"`, see [registries](registries.md).
    #[schemars(extend("x-add" = "module = \"builtin:NAME\" or a file"))]
    pub module: Module,
    /// The public key, `cosign.pub`, with which a module in a registry has to be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "none"))]
    pub signed_by: Option<PathBuf>,
    /// What the stage may use: `"llm"` for answers of models, `"embeddings"` for vectors of texts, which both require an alias
    /// in `[models]`; `{ http = […] }` for calls of other services, `"state"` for values that it keeps between items,
    /// `"metrics"` for numbers of its own. See [grants](grants.md).
    #[serde(default)]
    pub grants: Grants,
    /// A table, passed to the stage as JSON after validation against the stage's own schema. Dates become strings. A table
    /// `{ json_file = "order.schema.json" }`, anywhere in it, stands for what that file holds, at most 1 MiB.
    #[serde(default = "empty")]
    #[schemars(with = "Map<String, Value>")]
    pub config: Value,
    /// See `[retry]`.
    #[serde(default)]
    #[schemars(extend("x-show" = "the pipeline's"))]
    pub retry: RetryPolicy,
    /// Limits of one call, which is one attempt at one item.
    #[serde(default)]
    pub limits: StageLimits,
    /// What the models that the stage asks may cost, within `[budget]`: `day` and `total`.
    #[serde(default)]
    pub budget: StageBudget,
    /// Whether outcomes are kept in the store. A kept outcome is reused only for the same module, configuration and
    /// item.
    #[serde(default)]
    pub checkpoint: Checkpoint,
    /// Which items share an instance. With `"shared"`, the next item can see what the stage left in memory, see
    /// [decision 15](decisions/0015-shared-instances.md).
    #[serde(default)]
    pub isolation: Isolation,
    /// The route of outputs that name no branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "the next stage in the file that does not rescue, else the sink"))]
    pub next: Option<Route>,
    /// The routes of outputs that name a branch: `{ LABEL = ROUTE, … }`. The stage must declare the label. An output on
    /// a declared branch without a route here dead-letters the job as `unmapped-branch`.
    #[serde(default)]
    #[schemars(schema_with = "by_name::<Route>")]
    pub branches: BTreeMap<Name, Route>,
    /// `true`: the stage gets all items of the job in one call, in order, when no more can arrive.
    #[serde(default)]
    #[schemars(extend("x-form" = "write true to be passed all items of a job at once"))]
    pub gather: bool,
    /// What happens to an item that failed for good: `"dead-letter"`, the whole job is dead-lettered; `"skip"`, the item
    /// is left out and its siblings continue; `"rescue:STAGE"`, that stage may repair it.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// The code of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// One of those in the binary, by name.
    Builtin(String),
    /// A component's file.
    File(PathBuf),
    /// A component in a registry.
    Registry(Reference),
}

/// Where outputs of a stage go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Into a later stage.
    Stage(Name),
    /// To the pipeline's sink.
    Sink,
    /// Nowhere, on purpose.
    Drop,
    /// To a topic of its own.
    Topic(TopicName),
}

/// What becomes of an item when all attempts are used up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The whole job goes to the dead letters.
    #[default]
    DeadLetter,
    /// The item is left out, its siblings continue.
    Skip,
    /// The stage with this name may repair the item.
    Rescue(String),
}

const BUILTIN: &str = "builtin:";
const TOPIC: &str = "topic:";
const RESCUE: &str = "rescue:";

impl Module {
    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix(BUILTIN) {
            Some(name) => is_name(name).then(|| Self::Builtin(name.to_owned())),
            None if text.starts_with(Reference::SCHEME) => Reference::parse(text).ok().map(Self::Registry),
            None => (!text.is_empty() && !text.contains("://")).then(|| Self::File(text.into())),
        }
    }
}

impl Route {
    fn read(text: &str) -> Option<Self> {
        match (text, text.strip_prefix(TOPIC)) {
            ("sink", _) => Some(Self::Sink),
            ("drop", _) => Some(Self::Drop),
            (_, Some(topic)) => TopicName::new(topic).map(Self::Topic),
            (name, None) => Name::new(name).map(Self::Stage),
        }
    }
}

impl OnFailure {
    fn read(text: &str) -> Option<Self> {
        match (text, text.strip_prefix(RESCUE)) {
            ("dead-letter", _) => Some(Self::DeadLetter),
            ("skip", _) => Some(Self::Skip),
            (_, Some(stage)) => Some(Self::Rescue(stage.to_owned())),
            (_, None) => None,
        }
    }
}

impl Serialize for Module {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Builtin(name) => serializer.collect_str(&format_args!("{BUILTIN}{name}")),
            Self::File(path) => path.serialize(serializer),
            Self::Registry(reference) => serializer.collect_str(reference),
        }
    }
}

impl Serialize for Route {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Stage(name) => serializer.serialize_str(name),
            Self::Sink => serializer.serialize_str("sink"),
            Self::Drop => serializer.serialize_str("drop"),
            Self::Topic(topic) => serializer.collect_str(&format_args!("{TOPIC}{topic}")),
        }
    }
}

impl Serialize for OnFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::DeadLetter => serializer.serialize_str("dead-letter"),
            Self::Skip => serializer.serialize_str("skip"),
            Self::Rescue(stage) => serializer.collect_str(&format_args!("{RESCUE}{stage}")),
        }
    }
}

fn text<'de, D: Deserializer<'de>, T>(deserializer: D, read: fn(&str) -> Option<T>) -> Result<T, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    read(&text).ok_or_else(|| D::Error::custom(format!("\"{text}\" is not allowed here")))
}

impl<'de> Deserialize<'de> for Module {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, Self::read)
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, Self::read)
    }
}

impl<'de> Deserialize<'de> for OnFailure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, Self::read)
    }
}

impl JsonSchema for Module {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Module".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "allOf": [
                {
                    "pattern": "^(?!builtin:)|^builtin:[a-z0-9-]{1,64}$",
                    "x-fault": "names no builtin stage",
                    "x-form": "for example \"builtin:extract\"",
                },
                {
                    "pattern": "^builtin:|^oci://|^(?!.*://)",
                    "x-fault": "is an address",
                    "x-form": "modules are files, \"builtin:NAME\", or in a registry, \"oci://REGISTRY/NAME@sha256:…\"",
                },
                {
                    "pattern": concat!(
                        r"^(?!oci://)|^oci://(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[1-9][0-9]{0,4})?",
                        r"(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?@sha256:[0-9a-f]{64}$",
                    ),
                    "x-fault": "names no component in a registry by its digest",
                    "x-form": "oci://REGISTRY/NAME@sha256: and the 64 digits of its manifest's digest",
                },
            ],
            "if": { "not": { "pattern": "^builtin:|^oci://" } },
            "then": { "x-path": true },
        })
    }
}

impl JsonSchema for Route {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Route".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "allOf": [
                {
                    "pattern": "^(?!topic:)|^topic:(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,249}$",
                    "x-fault": "names no topic: {value}",
                    "x-form": "for example \"topic:contracts.review\"",
                },
                {
                    "pattern": "^topic:|^[a-z0-9-]{1,64}$",
                    "x-fault": "is no route: {value}",
                    "x-form": "write the name of a later stage, \"sink\", \"drop\", or \"topic:NAME\"",
                },
            ],
        })
    }
}

impl JsonSchema for OnFailure {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OnFailure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(dead-letter|skip|rescue:.*)$",
            "x-fault": "is no policy: {value}",
            "x-words": ["dead-letter", "skip", "rescue:STAGE"],
            "x-form": "write \"dead-letter\", \"skip\", or \"rescue:STAGE\"",
        })
    }
}
