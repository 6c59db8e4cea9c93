//! Taps: samples of the calls of stages, for somebody who looks on. What nobody looks at costs one read of a number for each
//! call; what somebody looks at, a copy of at most ten samples in a second. Nobody who looks on slows a pipeline down: what
//! he does not take in time is skipped and counted.

mod redact;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_core::model::{Outcome, Output};
use gristmill_core::ports::{Call, FlowEvent, Observer, StageError};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use redact::Shown;

/// The shortest time between two samples of one tap.
const EVERY: Duration = Duration::from_millis(100);
/// How many samples wait for one who is slow.
const WAITING: usize = 16;
/// How many outputs of a call are shown.
const OUTPUTS: usize = 10;

/// Those who look on at one pipeline.
#[derive(Debug, Default)]
pub struct Taps {
    /// So that nobody has to be asked if there is nobody.
    count: AtomicUsize,
    /// A lock, because stages are called side by side. Taken only while somebody looks on.
    open: Mutex<Vec<Open>>,
}

#[derive(Debug)]
struct Open {
    /// `None` for all.
    stage: Option<Arc<str>>,
    shown: Shown,
    samples: mpsc::Sender<Sample>,
    /// When the next sample may be taken.
    next: Option<Instant>,
    skipped: u64,
}

/// One call of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The stage.
    pub stage: String,
    /// The job.
    pub job: String,
    /// Which attempt it was.
    pub attempt: u32,
    /// The item.
    pub item: Shape,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub outcome: &'static str,
    /// The code of a drop, a rejection or a failure.
    pub code: Option<String>,
    /// The first ten outputs.
    pub outputs: Vec<Shape>,
    /// How many there were.
    pub output_count: usize,
    /// How many calls were not shown before this one.
    pub skipped: u64,
}

/// An item as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its id; of an output its branch, empty if it takes none.
    pub id: String,
    /// Its media type.
    pub content_type: Option<String>,
    /// The size of its payload.
    pub bytes: usize,
    /// What is shown of that.
    pub payload: String,
}

impl Taps {
    /// Samples of the calls of a stage, or of all, from now on, until the receiver is dropped or the pipeline ends.
    #[must_use]
    pub fn open(&self, stage: Option<&str>, shown: Shown) -> mpsc::Receiver<Sample> {
        let (samples, receiver) = mpsc::channel(WAITING);
        let mut open = self.taps();
        open.push(Open { stage: stage.map(Arc::from), shown, samples, next: None, skipped: 0 });
        self.count.store(open.len(), Ordering::Relaxed);
        receiver
    }

    /// Ends all of them: nothing will be called any more.
    pub fn close(&self) {
        self.taps().clear();
        self.count.store(0, Ordering::Relaxed);
    }

    fn called(&self, call: &Call, stage: &str, took: Duration, result: &Result<Outcome, StageError>) {
        let now = Instant::now();
        let mut open = self.taps();
        open.retain(|tap| !tap.samples.is_closed());
        self.count.store(open.len(), Ordering::Relaxed);
        for tap in open.iter_mut().filter(|tap| tap.stage.as_ref().is_none_or(|wanted| **wanted == *stage)) {
            if tap.next.is_some_and(|next| now < next) || tap.samples.capacity() == 0 {
                tap.skipped += 1;
                continue;
            }
            let mut sample = sample(call, stage, took, result, tap.shown);
            sample.skipped = std::mem::take(&mut tap.skipped);
            tap.next = Some(now + EVERY);
            // There is room: only this side fills it, under the lock.
            let _ = tap.samples.try_send(sample);
        }
    }

    fn taps(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Taps {
    fn observe(&self, event: &FlowEvent<'_>) {
        if let FlowEvent::Attempt { call, stage, elapsed, result } = event
            && self.count.load(Ordering::Relaxed) > 0
        {
            self.called(call, stage, *elapsed, result);
        }
    }
}

fn sample(call: &Call, stage: &str, took: Duration, result: &Result<Outcome, StageError>, shown: Shown) -> Sample {
    let (outcome, code, outputs): (_, Option<&str>, &[Output]) = match result {
        Ok(Outcome::Emit(outputs)) => ("emitted", None, outputs),
        Ok(Outcome::Drop(code)) => ("dropped", Some(code), &[]),
        Ok(Outcome::Reject(failure)) => ("rejected", Some(&failure.code), &[]),
        Err(StageError::Retry { failure, .. }) => ("retryable", Some(&failure.code), &[]),
        Err(StageError::Slow { failure, .. }) => ("held", Some(&failure.code), &[]),
        Err(StageError::Trap(failure)) => ("trapped", Some(&failure.code), &[]),
        Err(StageError::Permanent(failure)) => ("permanent", Some(&failure.code), &[]),
        Err(StageError::Store(_)) => ("store", None, &[]),
        Err(StageError::Host(_)) => ("host", None, &[]),
    };
    let item = &call.item;
    Sample {
        stage: stage.to_owned(),
        job: call.job.to_string(),
        attempt: call.attempt,
        item: Shape {
            id: item.id.as_str().to_owned(),
            content_type: item.content_type.clone(),
            bytes: item.payload.len(),
            payload: redact::payload(&item.payload, shown),
        },
        took,
        outcome,
        code: code.map(str::to_owned),
        outputs: outputs
            .iter()
            .take(OUTPUTS)
            .map(|output| Shape {
                id: output.branch.clone().unwrap_or_default(),
                content_type: output.content_type.clone(),
                bytes: output.payload.len(),
                payload: redact::payload(&output.payload, shown),
            })
            .collect(),
        output_count: outputs.len(),
        skipped: 0,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::{
        DocumentGeneration, DocumentId, EventId, Item, ItemId, JobId, Partition, Position, Timestamp, TraceContext,
    };
    use gristmill_core::ports::Edition;

    use super::*;

    fn pass(taps: &Taps, stage: &str, position: u128) {
        let event = EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(position) };
        let (job, document) = (JobId::new("p", &event), DocumentId::unnamed(&event));
        let item = Item {
            id: ItemId::root(&document),
            key: None,
            payload: Bytes::from_static(b"{\"name\": \"canary\"}"),
            content_type: None,
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        let trace = TraceContext::of_job(&job);
        let generation = DocumentGeneration { milliseconds: 0, sequence: 0 };
        let (timestamp, edition) = (Timestamp(0), Edition::default());
        let call = Call { job, event, document, generation, timestamp, item, attempt: 1, edition, trace, span: trace };
        let result = Ok(Outcome::Drop("enough".into()));
        taps.observe(&FlowEvent::Attempt { call: &call, stage, elapsed: Duration::ZERO, result: &result });
    }

    #[tokio::test(start_paused = true)]
    async fn a_tap_gets_samples_of_its_stage_at_a_bounded_rate() {
        let taps = Taps::default();
        let (mut one, mut all) = (taps.open(Some("a"), Shown::Shape), taps.open(None, Shown::Contents));
        for position in 0..5 {
            pass(&taps, "b", position);
        }
        assert!(one.try_recv().is_err(), "it is another stage's");
        let first = all.try_recv().unwrap();
        assert_eq!((&*first.stage, first.outcome, first.code.as_deref()), ("b", "dropped", Some("enough")));
        assert!(first.item.payload.contains("canary"));
        assert!(all.try_recv().is_err(), "no more than one in a tenth of a second");
        tokio::time::advance(EVERY).await;
        pass(&taps, "a", 5);
        assert_eq!(all.try_recv().unwrap().skipped, 4);
        let redacted = one.try_recv().unwrap();
        assert!(!redacted.item.payload.contains("canary"), "{redacted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_does_not_read_holds_nobody_up() {
        let taps = Taps::default();
        let slow = taps.open(None, Shown::Shape);
        for position in 0..1_000 {
            pass(&taps, "a", position);
            tokio::time::advance(EVERY).await;
        }
        assert_eq!(slow.len(), WAITING);
        drop(slow);
        pass(&taps, "a", 0);
        assert_eq!(taps.count.load(Ordering::Relaxed), 0, "who has left is forgotten");
    }

    #[tokio::test]
    async fn taps_end_with_their_pipeline() {
        let taps = Taps::default();
        let mut tap = taps.open(None, Shown::Shape);
        taps.close();
        assert_eq!(tap.recv().await, None);
    }
}
