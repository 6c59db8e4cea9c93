//! Who watches a pipeline: its totals, its traces, and those that watch every pipeline.

use std::sync::Arc;

use anyhow::Context;
use gristmill_core::model::Sampling;
use gristmill_core::ports::{Observer, Observers};
use gristmill_telemetry::traces::{Destination, Exporting, Origin, TraceSettings, Traces};

use super::failure::Failure;
use super::totals::Totals;
use crate::settings::Pipeline;

/// Starts to send the spans of traces, if the host file or OpenTelemetry's variables say where to.
///
/// # Errors
/// What is wrong with that, and how to fix it.
pub fn start_traces(settings: &TraceSettings) -> Result<Option<(Traces, Exporting)>, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let found = Destination::find(settings, variable).context("traces cannot be sent").map_err(Failure::Setup)?;
    Ok(found.map(Traces::start).transpose()?)
}

/// Who watches the pipelines of a host, beside its own totals.
#[derive(Default)]
pub struct Watchers {
    /// They see every pipeline.
    pub observers: Vec<Arc<dyn Observer>>,
    /// Where the spans of traces go.
    pub traces: Option<Traces>,
}

impl Watchers {
    /// All that watch a pipeline, as one.
    pub(super) fn of(&self, file: &Pipeline, totals: &Arc<Totals>) -> Arc<dyn Observer> {
        let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::<Totals>::clone(totals)];
        if let Some(traces) = &self.traces {
            let origin = Origin { pipeline: file.name.shared(), system: "kafka", group: file.group().into() };
            observers.push(Arc::new(traces.observer(origin)));
        }
        observers.extend(self.observers.iter().cloned());
        Arc::new(Observers::new(observers))
    }

    /// Which of the traces that begin with a job are recorded.
    pub(super) fn sampling(&self) -> Sampling {
        self.traces.as_ref().map(Traces::sampling).unwrap_or_default()
    }
}
