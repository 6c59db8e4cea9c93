//! What the API needs from the host.

use std::sync::Arc;

use gristmill_core::ports::{Acts, Deliveries, JobBook, Letters, Objects, Published, Sink};
use gristmill_core::settings::ByteSize;

/// A stage, as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageLabel {
    /// Its name in the pipeline file.
    pub name: String,
    /// What it does, for a progress bar: "Analysing entities". The name where the file says nothing.
    pub label: String,
}

/// A pipeline that takes jobs. Belongs to a run of the pipeline: whoever keeps it for longer
/// gets errors once the pipeline has ended.
#[derive(Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: Arc<str>,
    /// The topic that its events are read from.
    pub source: Arc<str>,
    /// Its stages, in the order of the plan.
    pub stages: Vec<StageLabel>,
    /// Writes to that topic. Shared by all requests, and flushed when the host stops.
    pub inlet: Arc<dyn Sink>,
    /// Reads single records of that topic back, for retries.
    pub events: Arc<dyn Letters>,
    /// The records of its jobs.
    pub book: Arc<dyn JobBook>,
    /// Notes which of them the broker has.
    pub published: Arc<dyn Published>,
    /// What people ask of them.
    pub acts: Arc<dyn Acts>,
    /// Their webhooks.
    pub deliveries: Arc<dyn Deliveries>,
    /// Where large bodies are kept; `None` if there is no such place: then they are refused.
    pub objects: Option<Arc<dyn Objects>>,
    /// Larger bodies are kept there: `objects.inline_max`.
    pub inline_max: ByteSize,
}

/// The pipelines of the host that take jobs.
pub trait Desk: Send + Sync {
    /// All, in the order of their names. Cheap: it is asked with every request.
    fn pipelines(&self) -> Vec<Arc<Pipeline>>;

    /// The one of this name. `None` if it does not run on this host.
    fn pipeline(&self, name: &str) -> Option<Arc<Pipeline>>;

    /// The names of those that the host has and that do not run now: they start, stop, or are started again. Asking later
    /// may help.
    fn absent(&self) -> Vec<Arc<str>>;
}
