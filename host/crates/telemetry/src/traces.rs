//! Traces: what becomes of an event, as spans, sent to an OpenTelemetry collector by OTLP over HTTP.
//!
//! The flow makes the ids: a job's span is the one that its outputs carry, an attempt's the one that the models are called
//! in. The observer here only writes down what the flow tells, so the spans it sends are exactly those that producers,
//! consumers and model servers see. It never waits: spans go into a bounded queue, and what does not fit is lost and counted.

mod content;
mod destination;
mod export;
mod observer;
mod queue;
mod settings;
mod span;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use gristmill_core::model::Sampling;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use destination::Destination;
pub use observer::{Origin, TraceObserver};
pub use settings::{Capture, TraceSettings};

use export::Exporter;
use queue::Queue;

/// The spans of a process on their way to the collector. Clones share one queue.
#[derive(Clone)]
pub struct Traces {
    queue: Queue,
    sampling: Sampling,
    capture: Capture,
}

/// The task that sends them.
pub struct Exporting {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Traces {
    /// Begins to send spans to a destination, in a task of its own. Connects when there is something to send: a collector
    /// that is not there costs spans, and nothing else.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub fn start(destination: Destination) -> anyhow::Result<(Self, Exporting)> {
        let (queue, waiting) = Queue::new();
        let (stop, stopped) = oneshot::channel();
        let (sampling, capture) = (destination.sampling, destination.capture);
        let exporter = Exporter::new(destination, Arc::clone(&queue.counters))?;
        let task = tokio::spawn(exporter.run(waiting, stopped));
        Ok((Self { queue, sampling, capture }, Exporting { task, stop }))
    }

    /// Which of the traces that begin here are recorded.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// What watches a pipeline and writes its spans.
    #[must_use]
    pub fn observer(&self, origin: Origin) -> TraceObserver {
        TraceObserver::new(origin, self.queue.clone(), self.capture, SystemTime::now)
    }

    /// How many spans the collector has taken.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.queue.counters.sent.load(Ordering::Relaxed)
    }

    /// How many are lost: they did not fit into the queue, or the collector did not take them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.counters.lost.load(Ordering::Relaxed)
    }
}

impl Exporting {
    /// Sends what waits, for at most this long, and ends. What comes later is lost.
    pub async fn finish(self, within: Duration) {
        let Self { mut task, stop } = self;
        // The task may have ended already.
        let _ = stop.send(());
        if tokio::time::timeout(within, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("the last spans of traces are lost: the collector did not take them in {within:?}");
        }
    }
}
