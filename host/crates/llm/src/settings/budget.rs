//! How much the operator lets models cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_core::model::Usd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the models of a pipeline may cost: on this host, or on all that share its state store. A call that would pass one of these is not made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSettings {
    /// Of one job, all its runs together. A job that needs more is dead-lettered as `llm-budget-exhausted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Usd>,
    /// Of one day in UTC. When it is used up, the pipeline waits for the next day, or until the amount is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Usd>,
    /// Of the pipeline since its state store exists. When it is used up, the pipeline waits until the amount is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Usd>,
}

/// What the calls of one stage may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StageBudget {
    /// Of one day in UTC; so also in `[budget]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Usd>,
    /// Since the state store of the pipeline exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Usd>,
}

/// All budgets of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budgets {
    /// The pipeline's own.
    pub pipeline: BudgetSettings,
    /// Those of its stages, by name.
    pub stages: BTreeMap<Arc<str>, StageBudget>,
}

impl Budgets {
    /// Whether nothing bounds what is spent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pipeline == BudgetSettings::default() && self.stages.values().all(|stage| *stage == StageBudget::default())
    }
}
