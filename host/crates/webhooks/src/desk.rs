//! What the sender needs from the host.

use std::sync::Arc;

use gristmill_core::model::JobRecord;
use gristmill_core::ports::Deliveries;
use serde_json::Value;

/// The deliveries of a pipeline.
#[derive(Clone)]
pub struct Outgoing {
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// Its deliveries.
    pub deliveries: Arc<dyn Deliveries>,
}

/// The pipelines of the host whose jobs may have webhooks.
pub trait Desk: Send + Sync {
    /// All that run now. Cheap: it is asked every second.
    fn outgoing(&self) -> Vec<Outgoing>;

    /// A job as the API shows it.
    fn show(&self, pipeline: &str, record: &JobRecord) -> Value;
}
