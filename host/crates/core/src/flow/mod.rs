//! How an event moves: from the source through the stages to the sink or the dead letters. Only then is it settled.
//! Independent of any broker, of WebAssembly and of any model.

mod attempts;
mod batches;
mod bookkeeping;
mod checkpoint;
mod checkpoints;
mod claims;
mod deployment;
mod deployments;
mod documents;
mod done;
mod entry;
mod error;
mod execute;
mod gather;
mod group;
mod grouping;
mod handle;
mod held;
mod inherited;
mod jobs;
pub mod names;
mod observed;
mod observed_jobs;
mod order;
mod outbox;
mod outputs;
mod pace;
mod partitions;
mod patience;
mod payload;
mod pipeline;
mod recorder;
mod records;
mod replay;
mod retry;
mod room;
pub mod settings;
#[cfg(test)]
mod tests;
mod throttle;
mod timer;
mod together;
mod transactions;
mod wakeup;
mod worker;
mod writer;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, MissedTickBehavior};

use crate::ports::Source;
pub use deployment::{Canary, Deployment, Fingerprint, Step, Waits};
pub use error::FlowError;
pub use handle::{
    CanaryEnd, CanaryEnded, CanaryEnding, CanaryStatus, Commands, Handle, Intake, LiveDeployment, NotRunning,
    PartitionStatus, Status,
};
pub use observed::ObservedStore;
pub use pipeline::{Delivery, Offload, Pipeline, Recording};
use timer::sleep_until;
use wakeup::Wakeup;
use worker::Worker;

/// How many signals are taken at most before the loop checks for ended jobs again.
const BURST: usize = 64;
/// How often observers are shown what is in flight, while it changes.
const REPORT: Duration = Duration::from_secs(1);

/// Runs a pipeline until its handle drains it: jobs in flight may finish within the drain timeout, and the rest is
/// redelivered at the next start. Always leaves the group.
///
/// # Errors
/// If the pipeline stopped on its own.
pub async fn run(
    source: &mut dyn Source,
    pipeline: Arc<Pipeline>,
    deployment: Arc<Deployment>,
    mut commands: Commands,
) -> Result<(), FlowError> {
    let mut worker = Worker::new(pipeline, deployment);
    let worked = work(source, &mut worker, &mut commands).await;
    worker.abort_all();
    let closed = source.close().await;
    worked.and(closed.map_err(FlowError::from))
}

/// The main loop: one task owns the partitions, their jobs and their progress, so nothing needs a lock.
async fn work(source: &mut dyn Source, worker: &mut Worker, commands: &mut Commands) -> Result<(), FlowError> {
    let stop = commands.stop.clone();
    let mut stopped = pin!(stop.cancelled());
    let mut report = tokio::time::interval(REPORT);
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drain_until: Option<Instant> = None;
    let mut ended = Ok(());
    while drain_until.is_none() || !worker.is_idle() {
        worker.transact_when_due();
        let demand = worker.demand();
        tokio::select! {
            biased;
            () = &mut stopped, if drain_until.is_none() => drain_until = Some(worker.drain()),
            command = commands.next() => worker.obey(command),
            wakeup = worker.next() => {
                match wakeup? {
                    Wakeup::JobsEnded(jobs) => {
                        for settled in worker.finish(jobs) {
                            source.settle(&settled.partition, &settled.events, settled.below)?;
                        }
                    }
                    Wakeup::TransactionEnded(result) => worker.transacted(result)?,
                    Wakeup::RevocationOverdue => worker.give_up_overdue(),
                    Wakeup::TimePassed => {}
                }
                worker.release_revoked();
                if let (Some(reason), None) = (worker.too_many_dead_letters(), drain_until) {
                    ended = Err(FlowError::TooManyDeadLetters { reason });
                    drain_until = Some(worker.drain());
                }
            }
            () = sleep_until(drain_until) => {
                let in_flight = worker.in_flight();
                tracing::warn!(in_flight, "drain timeout; events in flight will be redelivered");
                break;
            }
            _ = report.tick() => worker.report(),
            signal = source.recv(demand) => {
                worker.handle(signal?);
                // Take signals already waiting first: a full turn of the loop costs more than taking an event.
                for _ in 1..BURST {
                    let Some(signal) = source.recv(worker.demand()).now_or_never() else { break };
                    worker.handle(signal?);
                }
            }
        }
    }
    ended
}
