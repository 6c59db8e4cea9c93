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
}

impl Cluster {
    /// Uses the brokers of the command line, or else those of the pipeline file.
    pub(super) fn reach(cluster: &args::Cluster) -> Result<Self, Failure> {
        let pipeline = cluster.pipeline.as_deref().map(Pipeline::load).transpose()?;
        let broker = app::reach(cluster.brokers.as_deref(), pipeline.as_ref())?;
        Ok(Self { broker, group: pipeline.map(|pipeline| pipeline.group().to_owned()) })
    }
}
