//! The broker of a command that runs no pipeline.

use std::sync::Arc;

use crate::settings::Pipeline;
use gristmill_core::ports::Broker;

use super::args;
use crate::app::{self, Failure};

/// A broker, as the command line or a pipeline file names it.
pub(super) struct Cluster {
    pub(super) broker: Arc<dyn Broker>,
    /// The consumer group of the pipeline, if one was named.
    pub(super) group: Option<String>,
}

impl Cluster {
    /// The given brokers, else those of the pipeline file.
    pub(super) fn reach(cluster: &args::Cluster) -> Result<Self, Failure> {
        let pipeline = cluster.pipeline.as_deref().map(Pipeline::load).transpose()?;
        let broker = app::reach(cluster.brokers.as_deref(), pipeline.as_ref())?;
        Ok(Self { broker, group: pipeline.map(|pipeline| pipeline.group().to_owned()) })
    }
}
