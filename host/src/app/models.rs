//! What models may cost, and models without a pipeline around them.

use std::sync::Arc;

use anyhow::Context;
use gristmill_core::ports::{Model, Observers};
use gristmill_llm::settings::{AliasSettings, Budgets, Settings, TargetSettings};
use gristmill_llm::{Purse, Surroundings};

use super::clock;
use super::failure::Failure;
use super::store::Stores;
use crate::settings::Pipeline;

/// The purse of a pipeline with what it has spent so far; `None` if no stage may ask a model.
///
/// # Errors
/// A store that cannot be read.
pub(super) async fn purse(pipeline: &Pipeline, stores: &Stores) -> Result<Option<Arc<Purse>>, Failure> {
    let Some(spending) = &stores.spending else { return Ok(None) };
    let purse = Purse::open(pipeline.budgets(), Arc::new(clock::now), Arc::clone(spending)).await;
    let purse = purse.context("reading what the pipeline has spent")?;
    Ok(Some(Arc::new(match &stores.counters {
        Some(counters) => purse.together(&pipeline.name, Arc::clone(counters)),
        None => purse,
    })))
}

/// One target behind an alias of its own, asked once: without a store, a budget, or a second try. Reads its key.
///
/// # Errors
/// A key or a script that cannot be read.
pub fn model_of(target: &TargetSettings) -> Result<Arc<dyn Model>, Failure> {
    let settings = AliasSettings { reask: 0, ..AliasSettings::new(vec![target.clone()]) };
    model_alone("test", settings).map_err(Failure::Setup)
}

/// One alias, without a store or a budget. Reads its keys and scripts.
///
/// # Errors
/// A key or a script that cannot be read.
pub(super) fn model_alone(alias: &str, settings: AliasSettings) -> anyhow::Result<Arc<dyn Model>> {
    let surroundings = Surroundings {
        store: None,
        answers: None,
        counters: None,
        limits: Arc::default(),
        purse: Arc::new(Purse::new(Budgets::default(), Arc::new(clock::now))),
        observer: Arc::new(Observers::default()),
    };
    let settings = Settings { models: [(alias.to_owned(), settings)].into(), ..Settings::default() };
    Ok(gristmill_llm::build(settings, surroundings)?.model)
}
