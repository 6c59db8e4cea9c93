//! A host at one moment as its metrics have it.

use std::sync::Arc;

use gristmill_admin::HostView;
use gristmill_llm::Asked;
use gristmill_telemetry::metrics::{Readiness, SandboxNow, Scrape, SpansNow, TargetNow};

use crate::app::clock;
use crate::app::snapshot::Snapshot;

/// What to set the gauges to.
pub(super) fn of<'s>(view: &HostView, snapshot: Option<&'s Snapshot>, spans: SpansNow) -> Scrape<'s> {
    let readiness = if view.reasons.is_empty() { Readiness::Ready } else { Readiness::NotReady };
    let mut scrape = Scrape {
        now: clock::now(),
        readiness,
        version: env!("CARGO_PKG_VERSION"),
        pipelines: Vec::new(),
        stopped: Vec::new(),
        targets: Vec::new(),
        sandbox: SandboxNow::default(),
        spans,
    };
    let Some(snapshot) = snapshot else { return scrape };
    scrape.pipelines = snapshot.pipelines.iter().map(|pipeline| (&pipeline.moment, pipeline.status.as_ref())).collect();
    scrape.stopped = snapshot.stopped.iter().map(|(name, _)| Arc::clone(name)).collect();
    scrape.targets = snapshot
        .targets
        .iter()
        .map(|target| TargetNow {
            address: target.address.clone(),
            model: target.model.clone(),
            state: match target.asked {
                Asked::Open => "open",
                Asked::Limited(_) => "limited",
                Asked::Away(_) => "away",
            },
            limits: target.limits.clone(),
        })
        .collect();
    let instances = snapshot.instances;
    scrape.sandbox =
        SandboxNow { running: instances.running, idle: instances.idle, most: instances.most, memory: instances.memory };
    scrape
}
