//! The keys of a pipeline file, each section owned by the crate that uses it.

use std::collections::BTreeMap;

use gristmill_core::flow::settings::{
    DeadLetter, DeliveryMode, Limits, Order, RetryPolicy, Sink, Source, Transactions,
};
use gristmill_core::settings::{Name, by_name};
use gristmill_kafka::Cluster;
use gristmill_llm::settings::{AliasSettings, BudgetSettings};
use gristmill_redis::Redis;
use gristmill_store::settings::StoreSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::requires::Requires;
use super::stage::StageSettings;

/// Maximum stages of a pipeline; the bound of [`PipelineFile::stages`] in its schema.
pub(super) const MOST_STAGES: usize = 256;

/// A pipeline of Gristmill: where events come from, what stages do with them, and where the results go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Gristmill pipeline")]
pub struct PipelineFile {
    /// A name. The default of `source.group` and part of every job id: if you rename the pipeline, redelivered events
    /// get other ids.
    #[schemars(extend("x-add" = "name = \"…\" as its first line"))]
    pub name: Name,
    /// The Kafka cluster. A file has this or `redis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secrets" = true))]
    pub kafka: Option<Cluster>,
    /// Redis, whose streams are the topics. A file has this or `kafka`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secrets" = true))]
    pub redis: Option<Redis>,
    /// Where events come from.
    #[schemars(extend("x-add" = "[source] with topic = \"…\", where events come from"))]
    pub source: Source,
    /// Where results go.
    #[schemars(extend("x-add" = "[sink] with topic = \"…\", where results go"))]
    pub sink: Sink,
    /// Where jobs go that cannot be finished.
    #[schemars(extend("x-add" = "[dead_letter] with topic = \"…\", where failed jobs go"))]
    pub dead_letter: DeadLetter,
    /// Which jobs wait for each other.
    #[serde(default)]
    pub order: Order,
    /// How outputs are written.
    #[serde(default)]
    pub delivery: DeliveryMode,
    /// When transactions begin. Only with `delivery = "exactly-once"`.
    #[serde(default)]
    pub transactions: Transactions,
    /// Bounds of the pipeline as a whole.
    #[serde(default)]
    pub limits: Limits,
    /// The policy of all stages. `retry = { … }` of a stage replaces single values.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// The memory of jobs.
    #[serde(default)]
    #[schemars(extend("x-secrets" = true))]
    pub store: StoreSettings,
    /// What the models may cost.
    #[serde(default)]
    pub budget: BudgetSettings,
    /// What items must have passed before a stage with a grant sees them.
    #[serde(default)]
    pub requires: Requires,
    /// One table for each stage, in order; 1 to 256.
    #[serde(rename = "stage")]
    #[schemars(length(min = 1, max = 256), extend(
        "x-add" = "[[stage]] with name and module, once for each stage",
        "x-form" = "write [[stage]], once for each stage"
    ))]
    pub stages: Vec<StageSettings>,
    /// Language models by alias. A request that names none gets the only alias there is, or the one called `default`.
    #[serde(default)]
    #[schemars(schema_with = "by_name::<AliasSettings>", extend("x-secrets" = true))]
    pub models: BTreeMap<Name, AliasSettings>,
}

/// The broker of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'f> {
    /// Kafka, or the embedded broker.
    Kafka(&'f Cluster),
    /// Redis.
    Redis(&'f Redis),
}

impl PipelineFile {
    /// The broker. A file that was checked has one.
    #[must_use]
    pub fn broker(&self) -> Option<Named<'_>> {
        match (&self.kafka, &self.redis) {
            (_, Some(redis)) => Some(Named::Redis(redis)),
            (Some(kafka), None) => Some(Named::Kafka(kafka)),
            (None, None) => None,
        }
    }

    /// The consumer group: the pipeline's name, if the file has none.
    #[must_use]
    pub fn group(&self) -> &str {
        self.source.group.as_deref().unwrap_or(&self.name)
    }
}
