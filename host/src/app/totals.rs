//! What a pipeline has done so far: a line per job for those who want it, a line with the totals for all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use gristmill_core::model::{Failed, Spent, Usd};
use gristmill_core::ports::{End, FlowEvent, Observer, PauseReason, StageError};

/// Counts how jobs end, and logs: every failure as a warning, every job at the level debug.
#[derive(Debug, Default)]
pub(super) struct Totals {
    emitted: AtomicU64,
    records: AtomicU64,
    deleted: AtomicU64,
    dropped: AtomicU64,
    dead_lettered: AtomicU64,
    /// Jobs whose partition was given away before they were settled.
    stale: AtomicU64,
    /// Calls of stages that a checkpoint spared.
    restored: AtomicU64,
    /// Calls of models that were answered.
    answers: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    nano_usd: AtomicU64,
}

/// How often the totals are logged while they change.
const INTERVAL: Duration = Duration::from_secs(10);

impl Totals {
    /// Logs the totals every 10 s while they change, and at the end.
    pub(super) async fn report(&self, pipeline: &str, end: CancellationToken) {
        let mut last = 0;
        loop {
            let ended = tokio::time::timeout(INTERVAL, end.cancelled()).await.is_ok();
            let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let (emitted, dropped, dead_lettered) = (of(&self.emitted), of(&self.dropped), of(&self.dead_lettered));
            let deleted = of(&self.deleted);
            let jobs = emitted + deleted + dropped + dead_lettered;
            if jobs != last || ended {
                let (records, stale, restored) = (of(&self.records), of(&self.stale), of(&self.restored));
                // Only of a pipeline that has asked a model.
                let told = |counter: &AtomicU64| (of(&self.answers) > 0).then(|| of(counter));
                let (answers, cost_usd) =
                    (told(&self.answers), told(&self.nano_usd).map(|nano| Usd::nano(nano).number()));
                let (input_tokens, output_tokens) = (told(&self.input_tokens), told(&self.output_tokens));
                tracing::info!(
                    pipeline,
                    jobs,
                    records,
                    deleted,
                    dropped,
                    dead_lettered,
                    stale,
                    restored,
                    answers,
                    input_tokens,
                    output_tokens,
                    cost_usd,
                    "jobs done"
                );
                last = jobs;
            }
            if ended {
                return;
            }
        }
    }
}

impl Observer for Totals {
    fn observe(&self, event: &FlowEvent<'_>) {
        match event {
            FlowEvent::Stale { event } => {
                self.stale.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%event, "its partition was revoked before it was settled");
            }
            FlowEvent::Restored { job, stage, trace } => {
                self.restored.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%job, trace_id = %trace.trace_id(), stage, "not run again: its outcome was kept");
            }
            FlowEvent::Paused { why: PauseReason::Operator, .. }
            | FlowEvent::Resumed { why: PauseReason::Operator } => {}
            FlowEvent::Resumed { why } => tracing::info!("over: {why}"),
            FlowEvent::Paused { why, wait } => {
                let seconds = wait.map(|wait| wait.as_secs_f64());
                tracing::warn!(seconds, "taking no new events for a while: {why}");
            }
            FlowEvent::Attempt { call, stage, result, .. } => match result {
                Ok(_) | Err(StageError::Slow { .. } | StageError::Store(_)) => {}
                Err(error) => {
                    let trace_id = call.trace.trace_id();
                    tracing::info!(
                        item = %call.item.id, %trace_id, stage, attempt = call.attempt, "attempt failed: {error}"
                    );
                }
            },
            FlowEvent::ModelCall { result: Ok(usage), .. } => {
                let Spent { input_tokens, output_tokens, cost, .. } = Spent::of(usage);
                let sums = [
                    (&self.answers, 1),
                    (&self.input_tokens, input_tokens),
                    (&self.output_tokens, output_tokens),
                    (&self.nano_usd, cost.get()),
                ];
                for (counter, more) in sums {
                    counter.fetch_add(more, Ordering::Relaxed);
                }
            }
            FlowEvent::JobEnded { job, elapsed, end, spent, trace, .. } => {
                let trace_id = trace.trace_id();
                let cost_usd = spent.map(|spent| spent.cost.number());
                let input_tokens = spent.map(|spent| spent.input_tokens);
                let output_tokens = spent.map(|spent| spent.output_tokens);
                let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                let counter = match end {
                    End::Emitted(records) => {
                        self.records.fetch_add(*records as u64, Ordering::Relaxed);
                        &self.emitted
                    }
                    End::Deleted(_) => &self.deleted,
                    End::Dropped(_) => &self.dropped,
                    End::DeadLettered(Failed { failure, .. }) => {
                        tracing::warn!(
                            %job, %trace_id, reason = failure.code, input_tokens, output_tokens, cost_usd,
                            "dead-lettered: {}", failure.message
                        );
                        &self.dead_lettered
                    }
                };
                counter.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%job, %trace_id, elapsed_ms, %end, input_tokens, output_tokens, cost_usd, "job done");
            }
            _ => {}
        }
    }
}
