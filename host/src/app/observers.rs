//! Who watches a pipeline: its totals, metrics, taps and traces, and those that watch every pipeline.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use gristmill_core::model::Sampling;
use gristmill_core::ports::{Observer, Observers};
use gristmill_telemetry::metrics::{Metrics, PipelineMetrics};
use gristmill_telemetry::taps::Taps;
use gristmill_telemetry::traces::{Destination, Exporting, Origin, TraceSettings, Traces};

use super::failure::Failure;
use super::totals::Totals;
use crate::settings::{Named, Pipeline};

/// Starts to send the spans of traces, if the host file or OpenTelemetry's variables say where to.
///
/// # Errors
/// What is wrong with that, and how to fix it.
pub fn start_traces(settings: &TraceSettings) -> Result<Option<(Traces, Exporting)>, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let found = Destination::find(settings, variable).context("traces cannot be sent").map_err(Failure::Setup)?;
    Ok(found.map(Traces::start).transpose()?)
}

/// Who watches the pipelines of a host.
pub struct Watchers {
    /// They see every pipeline.
    pub observers: Vec<Arc<dyn Observer>>,
    /// Where the spans of traces go.
    pub traces: Option<Traces>,
    /// What all pipelines count in.
    pub metrics: Arc<Metrics>,
}

impl Default for Watchers {
    /// The metrics of a process that begins now.
    fn default() -> Self {
        let metrics = Arc::new(Metrics::new(SystemTime::now()));
        Self { observers: Vec::new(), traces: None, metrics }
    }
}

/// Those who watch one run of a pipeline.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) totals: Arc<Totals>,
    pub(super) metrics: Arc<PipelineMetrics>,
    pub(super) taps: Arc<Taps>,
    /// All of them, and those that watch every pipeline.
    pub(super) observer: Arc<dyn Observer>,
}

impl Watchers {
    /// All that watch a pipeline.
    pub(super) fn of(&self, file: &Pipeline) -> Watched {
        let name = file.name.shared();
        let (totals, taps) = (Arc::<Totals>::default(), Arc::<Taps>::default());
        let metrics = self.metrics.pipeline(&name);
        let mut observers: Vec<Arc<dyn Observer>> =
            vec![Arc::<Totals>::clone(&totals), Arc::<PipelineMetrics>::clone(&metrics), Arc::<Taps>::clone(&taps)];
        if let Some(traces) = &self.traces {
            let system = match file.broker() {
                Some(Named::Redis(_)) => "redis",
                Some(Named::Kafka(_)) | None => "kafka",
            };
            let origin = Origin { pipeline: name, system, group: file.group().into() };
            observers.push(Arc::new(traces.observer(origin)));
        }
        observers.extend(self.observers.iter().cloned());
        Watched { totals, metrics, taps, observer: Arc::new(Observers::new(observers)) }
    }

    /// Which of the traces that begin with a job are recorded.
    pub(super) fn sampling(&self) -> Sampling {
        self.traces.as_ref().map(Traces::sampling).unwrap_or_default()
    }
}
