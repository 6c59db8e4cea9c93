//! The series of a pipeline's state store.

use std::sync::Arc;

use gristmill_core::ports::{StoreOperation, StoreOutcome};
use prometheus_client::metrics::histogram::Histogram;

use super::families::Families;
use super::labels::Stored;

/// Durations by operation and outcome.
#[derive(Debug)]
pub(super) struct Store([[Histogram; 3]; 2]);

impl Store {
    pub(super) fn new(pipeline: &Arc<str>, families: &Families) -> Self {
        let series = |operation, outcome| {
            let labels = Stored { pipeline: Arc::clone(pipeline), operation, outcome };
            families.store_seconds.get_or_create_owned(&labels)
        };
        let of = |operation| ["answered", "transient", "broken"].map(|outcome| series(operation, outcome));
        Self([of("recall"), of("keep")])
    }

    pub(super) fn of(&self, operation: StoreOperation, outcome: StoreOutcome) -> &Histogram {
        let [recall, keep] = &self.0;
        let [answered, transient, broken] = match operation {
            StoreOperation::Recall => recall,
            StoreOperation::Keep => keep,
        };
        match outcome {
            StoreOutcome::Answered => answered,
            StoreOutcome::Transient => transient,
            StoreOutcome::Broken => broken,
        }
    }
}
