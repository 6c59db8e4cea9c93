//! Numbers that the stages of a pipeline count and measure of their own. What guests make up is bounded: a stage has so many
//! series, and what is beyond is only counted as such.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gristmill_core::model::{Amount, Measure};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::families::Families;
use super::labels::OfStage;

/// How many series a stage has, a histogram counted once.
const MOST_SERIES: usize = 200;

/// Pairs of names and values; the host's first.
pub(super) type Labels = Vec<(String, String)>;

/// The numbers of the stages of one pipeline, over all its runs.
#[derive(Debug, Default)]
pub(super) struct Custom {
    /// By stage. Locked for a look-up and an addition.
    stages: Mutex<HashMap<String, Series>>,
}

#[derive(Debug, Default)]
struct Series {
    counters: HashMap<Labels, Counter>,
    histograms: HashMap<Labels, Histogram>,
    dropped: Option<Counter>,
}

impl Custom {
    pub(super) fn measured(&self, families: &Families, pipeline: &Arc<str>, stage: &str, measure: &Measure) {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut labels = vec![own("pipeline", pipeline), own("stage", stage), own("name", measure.name())];
        labels.extend_from_slice(measure.labels());
        let mut stages = self.stages();
        let series = stages.entry(stage.to_owned()).or_default();
        let has_room = series.counters.len() + series.histograms.len() < MOST_SERIES;
        match measure.amount() {
            Amount::Add(more) => match series.counters.get(&labels) {
                Some(counter) => drop(counter.inc_by(more)),
                None if has_room => {
                    let counter = families.custom.get_or_create_owned(&labels);
                    counter.inc_by(more);
                    series.counters.insert(labels, counter);
                }
                None => series.drop_one(families, pipeline, stage),
            },
            Amount::Observe(value) => match series.histograms.get(&labels) {
                Some(histogram) => histogram.observe(value),
                None if has_room => {
                    let histogram = families.custom_values.get_or_create_owned(&labels);
                    histogram.observe(value);
                    series.histograms.insert(labels, histogram);
                }
                None => series.drop_one(families, pipeline, stage),
            },
        }
    }

    fn stages(&self) -> MutexGuard<'_, HashMap<String, Series>> {
        // Nothing panics under the lock but an allocation that fails.
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn drop_one(&mut self, families: &Families, pipeline: &Arc<str>, stage: &str) {
        let dropped = self.dropped.get_or_insert_with(|| {
            tracing::warn!(
                %pipeline,
                stage,
                most = MOST_SERIES,
                "the stage counts under too many labels: further ones are not counted; take what differs from item to item \
                 out of them"
            );
            families.custom_dropped.get_or_create_owned(&OfStage { pipeline: Arc::clone(pipeline), stage: stage.into() })
        });
        dropped.inc();
    }
}
