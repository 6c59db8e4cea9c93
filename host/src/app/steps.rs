//! The steps of a pipeline, each with what the next one needs: loaded, reached, connected, run to its end.

use std::sync::Arc;

use anyhow::Context;
use gristmill_core::flow::{self, Commands, Deployment, FlowError};
use gristmill_core::model::Sampling;
use gristmill_core::ports::{Accounts, Broker};
use gristmill_llm::Purse;
use tokio::task::JoinError;

use super::failure::Failure;
use super::following::Following;
use super::load::Loaded;
use super::observers::Watched;
use super::pipeline::{Wired, Wiring};
use super::store::Stores;
use crate::settings::Pipeline;

/// A pipeline that is loaded.
pub(super) struct Ready {
    pub(super) file: Pipeline,
    pub(super) loaded: Loaded,
    pub(super) stores: Stores,
    /// What the models may cost. `None` if no stage may ask one.
    pub(super) purse: Option<Arc<Purse>>,
    pub(super) watched: Watched,
    /// Which of its traces are recorded.
    pub(super) sampling: Sampling,
    /// What is kept of its jobs.
    pub(super) following: Following,
}

/// A pipeline whose broker answers and has its topics.
pub(super) struct Reached {
    pub(super) ready: Ready,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) address: String,
}

/// A pipeline that is connected.
pub(super) struct Start {
    pub(super) reached: Reached,
    pub(super) wired: Wired,
}

impl Reached {
    pub(super) async fn connect(self) -> Result<Start, Failure> {
        let (stores, observer) = (self.ready.stores.clone(), Arc::clone(&self.ready.watched.observer));
        let accounts = self.ready.purse.clone().map(|purse| purse as Arc<dyn Accounts>);
        let (sampling, following) = (self.ready.sampling, &self.ready.following);
        let wiring = Wiring { broker: &*self.broker, stores, accounts, observer, sampling, following };
        let wired = wiring.connect(&self.ready.file).await?;
        Ok(Start { reached: self, wired })
    }
}

pub(super) async fn work(mut wired: Wired, deployment: Arc<Deployment>, commands: Commands) -> Result<(), Failure> {
    let name = Arc::clone(&wired.pipeline.name);
    let ended = flow::run(&mut *wired.source, wired.pipeline, deployment, commands).await;
    ended.map_err(|error| {
        let policy = matches!(error, FlowError::TooManyDeadLetters { .. });
        let error = anyhow::Error::new(error).context(format!("the pipeline {name} stopped"));
        if policy { Failure::Policy(error) } else { Failure::Running(error) }
    })
}

/// How a pipeline ended, also when its task panicked.
pub(super) fn result(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    ended.context("its task was lost").map_err(Failure::Running).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pipeline_that_panics_has_failed() {
        let ended = tokio::spawn(async { panic!("told to panic") }).await;
        let failure = result(ended).unwrap_err();
        assert!(matches!(&failure, Failure::Running(_)), "{failure}");
        assert!(failure.to_string().contains("its task was lost"), "{failure}");
    }
}
