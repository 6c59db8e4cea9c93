//! The versions of stages: what became of them.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::Changed;

/// What became of versions.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    changes: Family<Changed, Counter>,
}

impl Versions {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let versions = Self::default();
        registry.register(
            "stage_versions",
            "Versions of a stage that were taken on while the pipeline ran, by what became of them: serving, canary, withdrawn \
             or refused",
            versions.changes.clone(),
        );
        versions
    }

    /// From 0 on, so that the first that is refused shows as a rise.
    pub(super) fn know(&self, pipeline: &Arc<str>, stage: &Arc<str>) {
        for change in ["serving", "refused"] {
            let labels = Changed { pipeline: Arc::clone(pipeline), stage: Arc::clone(stage), change };
            drop(self.changes.get_or_create(&labels));
        }
    }

    pub(super) fn changed(&self, pipeline: &Arc<str>, stage: &Arc<str>, change: &'static str) {
        let labels = Changed { pipeline: Arc::clone(pipeline), stage: Arc::clone(stage), change };
        self.changes.get_or_create(&labels).inc();
    }
}
