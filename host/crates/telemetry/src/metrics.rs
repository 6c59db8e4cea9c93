//! Metrics in Prometheus' format. A host has one [`Metrics`], a value and nothing global; each run of a pipeline an observer
//! that counts in it. What a pipeline is doing now is asked for when somebody wants to know.
//!
//! What an event costs is a few additions: series are looked up once. What is labelled is bounded, see `labels`.

mod changes;
mod custom;
mod families;
mod gauges;
mod labels;
mod moment;
mod pipeline;
mod process;
mod scrape;
mod seen;
mod stages;
mod store;
#[cfg(test)]
mod tests;
mod versions;
mod window;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

use custom::Custom;
use families::Families;
use gauges::Gauges;
pub use moment::{Lately, Moment, OfModel, OfStage, Totals};
pub use pipeline::PipelineMetrics;
use pipeline::{Counted, Reasons};
use process::Process;
pub use scrape::{Readiness, SandboxNow, Scrape, SpansNow, TargetNow};
pub use seen::{Ahead, Behind, Pause};
pub use window::Ends;

/// What all names begin with.
const PREFIX: &str = "gristmill";

/// The metrics of a host.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
    /// Locked while they are set and written: one who asks must not see what is set for another.
    gauges: Mutex<Gauges>,
    /// Of all pipelines that have run, by name: a reason that was a label once stays one.
    reasons: Mutex<BTreeMap<Arc<str>, Arc<Reasons>>>,
    /// Likewise.
    custom: Mutex<BTreeMap<Arc<str>, Arc<Custom>>>,
}

impl Metrics {
    /// Metrics of a process that was started at this time.
    #[must_use]
    pub fn new(started: SystemTime) -> Self {
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix(PREFIX);
        let families = Arc::new(Families::register(own));
        let gauges = Mutex::new(Gauges::register(own));
        registry.register_collector(Box::new(Process::new(started)));
        Self { registry, families, gauges, reasons: Mutex::default(), custom: Mutex::default() }
    }

    /// The observer of a run of a pipeline. Its counters go on from those of earlier runs.
    #[must_use]
    pub fn pipeline(&self, name: &Arc<str>) -> Arc<PipelineMetrics> {
        let reasons = {
            let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(reasons.entry(Arc::clone(name)).or_default())
        };
        let custom = {
            let mut custom = self.custom.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(custom.entry(Arc::clone(name)).or_default())
        };
        Arc::new(PipelineMetrics::new(Arc::clone(name), Arc::clone(&self.families), Counted { reasons, custom }))
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self, scrape: &Scrape<'_>) -> String {
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.set(scrape);
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }
}
