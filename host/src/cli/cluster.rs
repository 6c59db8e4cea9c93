//! The broker for commands that run no pipeline.

use std::sync::Arc;

use crate::settings::Pipeline;
use gristmill_core::ports::Broker;

use super::args;
use crate::app::{self, Failure};

/// A broker named on the command line or in a pipeline file.
pub(super) struct Cluster {
    pub(super) broker: Arc<dyn Broker>,
    /// The consumer group of the pipeline, if a pipeline was named.
    pub(super) group: Option<String>,
    /// The brokers of the command line or of its variable.
    given: Option<String>,
}

impl Cluster {
    /// Uses the brokers of the command line, or else those of the pipeline file.
    pub(super) fn reach(cluster: &args::Cluster) -> Result<Self, Failure> {
        let pipeline = cluster.pipeline.as_deref().map(Pipeline::load_to_reach).transpose()?;
        let broker = app::reach(cluster.brokers.as_deref(), pipeline.as_ref())?;
        let group = pipeline.map(|pipeline| pipeline.group().to_owned());
        Ok(Self { broker, group, given: cluster.brokers.clone() })
    }

    /// What an error of the broker is to the command.
    pub(super) fn failed(&self, error: impl Into<anyhow::Error>) -> Failure {
        let error = error.into();
        match &self.given {
            Some(given) => Failure::Running(app::named_by_variable(Some(given), error)),
            None => Failure::Running(error),
        }
    }
}
