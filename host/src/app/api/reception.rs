//! The pipelines that take jobs, as the API sees them.

use std::sync::{Arc, OnceLock};

use gristmill_api::{Desk, JobView, Pipeline};
use gristmill_core::model::JobRecord;
use gristmill_webhooks::{self as webhooks, Outgoing};
use serde_json::Value;

use super::super::host::Host;

/// Knows which pipelines of a host run, from before it runs.
pub(super) struct Reception {
    /// Those that the host was started with.
    names: Vec<Arc<str>>,
    /// Set once all of them are connected.
    host: OnceLock<Arc<Host>>,
}

impl Reception {
    pub(super) fn of(names: Vec<Arc<str>>) -> Self {
        Self { names, host: OnceLock::new() }
    }

    pub(super) fn attend(&self, host: &Arc<Host>) {
        // Nothing else sets it.
        let _ = self.host.set(Arc::clone(host));
    }
}

impl Desk for Reception {
    fn pipelines(&self) -> Vec<Arc<Pipeline>> {
        let Some(host) = self.host.get() else { return Vec::new() };
        host.running().by_name.values().filter_map(|running| running.entrance.clone()).collect()
    }

    fn pipeline(&self, name: &str) -> Option<Arc<Pipeline>> {
        self.host.get()?.running().by_name.get(name)?.entrance.clone()
    }

    fn absent(&self) -> Vec<Arc<str>> {
        let Some(host) = self.host.get() else { return self.names.clone() };
        let running = host.running();
        let mut absent: Vec<_> =
            self.names.iter().chain(&running.restarting).chain(running.stopped.keys()).cloned().collect();
        absent.retain(|name| !running.by_name.contains_key(name));
        absent.sort();
        absent.dedup();
        absent
    }
}

impl webhooks::Desk for Reception {
    fn outgoing(&self) -> Vec<Outgoing> {
        let outgoing = |pipeline: &Arc<Pipeline>| Outgoing {
            pipeline: Arc::clone(&pipeline.name),
            deliveries: Arc::clone(&pipeline.deliveries),
        };
        self.pipelines().iter().map(outgoing).collect()
    }

    fn show(&self, pipeline: &str, record: &JobRecord) -> Value {
        let known = self.pipeline(pipeline);
        let stages = known.as_ref().map_or(&[][..], |known| known.stages.as_slice());
        // Text and numbers are always JSON.
        serde_json::to_value(JobView::of(pipeline, stages, record)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_host_runs_its_pipelines_are_absent_and_not_unknown() {
        let reception = Reception::of(vec!["a".into(), "b".into()]);
        assert!(reception.pipelines().is_empty() && reception.pipeline("a").is_none());
        let both: [Arc<str>; 2] = ["a".into(), "b".into()];
        assert_eq!(reception.absent(), both);
    }
}
