//! The series of a pipeline's stages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use gristmill_core::model::Outcome;
use gristmill_core::ports::StageError;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::families::Families;
use super::labels::{self, Attempted, Trapped};
use super::moment::OfStage;

/// All stages that were called so far. A reload may bring others.
#[derive(Debug)]
pub(super) struct Stages {
    pipeline: Arc<str>,
    families: Arc<Families>,
    /// A lock, because stages are called side by side. Written only when one is called for the first time.
    seen: RwLock<Vec<Arc<Series>>>,
}

#[derive(Debug)]
struct Series {
    name: Arc<str>,
    seconds: Histogram,
    ends: [Counter; ENDS.len()],
    restored: Counter,
    nanos: AtomicU64,
}

/// What becomes of a call, in the order of their counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Emitted,
    Dropped,
    Rejected,
    Retryable,
    Permanent,
    Trapped,
    Held,
    Store,
    Host,
}

const ENDS: [&str; 9] =
    ["emitted", "dropped", "rejected", "retryable", "permanent", "trapped", "held", "store", "host"];

/// Those that are failures of the stage.
const FAILED: [End; 3] = [End::Retryable, End::Permanent, End::Trapped];

impl End {
    fn of(result: &Result<Outcome, StageError>) -> Self {
        match result {
            Ok(Outcome::Emit(_)) => Self::Emitted,
            Ok(Outcome::Drop(_)) => Self::Dropped,
            Ok(Outcome::Reject(_)) => Self::Rejected,
            Err(StageError::Retry { .. }) => Self::Retryable,
            Err(StageError::Permanent(_)) => Self::Permanent,
            Err(StageError::Trap(_)) => Self::Trapped,
            Err(StageError::Slow { .. }) => Self::Held,
            Err(StageError::Store(_)) => Self::Store,
            Err(StageError::Host(_)) => Self::Host,
        }
    }
}

impl Stages {
    pub(super) fn new(pipeline: Arc<str>, families: Arc<Families>) -> Self {
        Self { pipeline, families, seen: RwLock::default() }
    }

    pub(super) fn attempted(&self, stage: &str, elapsed: Duration, result: &Result<Outcome, StageError>) {
        let series = self.series(stage);
        series.seconds.observe(elapsed.as_secs_f64());
        series.nanos.fetch_add(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        series.ends[End::of(result) as usize].inc();
        if let Err(StageError::Trap(failure)) = result {
            let (pipeline, stage) = (Arc::clone(&self.pipeline), Arc::clone(&series.name));
            let labels = Trapped { pipeline, stage, code: labels::trap(&failure.code) };
            self.families.traps.get_or_create(&labels).inc();
        }
    }

    pub(super) fn restored(&self, stage: &str) {
        self.series(stage).restored.inc();
    }

    pub(super) fn all(&self) -> Vec<OfStage> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|series| series.totals()).collect()
    }

    /// The series of a stage, made when it is called for the first time.
    fn series(&self, stage: &str) -> Arc<Series> {
        let is_it = |series: &&Arc<Series>| *series.name == *stage;
        // Nothing panics under the lock but an allocation that fails.
        if let Some(known) = self.seen.read().unwrap_or_else(PoisonError::into_inner).iter().find(is_it) {
            return Arc::clone(known);
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.iter().find(is_it) {
            return Arc::clone(known);
        }
        let new = Arc::new(Series::new(&self.pipeline, stage.into(), &self.families));
        seen.push(Arc::clone(&new));
        new
    }
}

impl Series {
    fn new(pipeline: &Arc<str>, name: Arc<str>, families: &Families) -> Self {
        let of_stage = labels::OfStage { pipeline: Arc::clone(pipeline), stage: Arc::clone(&name) };
        let ends = ENDS.map(|outcome| {
            let (pipeline, stage) = (Arc::clone(pipeline), Arc::clone(&name));
            families.attempts.get_or_create_owned(&Attempted { pipeline, stage, outcome })
        });
        Self {
            seconds: families.stage_seconds.get_or_create_owned(&of_stage),
            restored: families.restored.get_or_create_owned(&of_stage),
            ends,
            nanos: AtomicU64::new(0),
            name,
        }
    }

    fn totals(&self) -> OfStage {
        OfStage {
            name: Arc::clone(&self.name),
            attempts: self.ends.iter().map(Counter::get).sum(),
            failed: FAILED.iter().map(|end| self.ends[*end as usize].get()).sum(),
            took: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::Failure;
    use gristmill_core::ports::Hold;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn every_result_has_its_own_outcome() {
        let failure = || Failure::new("x", "x");
        let stages = Stages::new("p".into(), Arc::new(Families::register(&mut Registry::default())));
        let results = [
            (Ok(Outcome::Emit(Vec::new())), "emitted"),
            (Ok(Outcome::Drop("d".into())), "dropped"),
            (Ok(Outcome::Reject(failure())), "rejected"),
            (Err(StageError::Retry { failure: failure(), after: None }), "retryable"),
            (Err(StageError::Permanent(failure())), "permanent"),
            (Err(StageError::Trap(failure())), "trapped"),
            (Err(StageError::Slow { failure: failure(), after: None, hold: Hold::Limit }), "held"),
            (Err(StageError::Host(std::io::Error::other("x").into())), "host"),
        ];
        for (result, outcome) in results {
            let (pipeline, stage) = (Arc::from("p"), Arc::from("s"));
            let count = stages.families.attempts.get_or_create_owned(&Attempted { pipeline, stage, outcome });
            let before = count.get();
            stages.attempted("s", Duration::from_millis(1), &result);
            assert_eq!(count.get(), before + 1, "{outcome}");
        }
        let all = stages.all();
        assert_eq!((all.len(), all[0].attempts, all[0].failed), (1, 8, 3));
        assert_eq!(all[0].took, Duration::from_millis(8));
    }
}
