//! Reads a topic while faults are injected, and records what arrives.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use gristmill_core::model::Event;
use gristmill_core::ports::{From, Until};
use gristmill_kafka::Tail;
use tokio::task::JoinHandle;

use crate::harness::{Harness, PATIENCE, header};
use crate::oracle::{Place, number};

/// What has arrived so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often each event arrived.
    pub(crate) times: HashMap<Place, u32>,
    /// The number of each event.
    pub(crate) numbers: HashMap<Place, u64>,
    /// The events of each partition of this topic, in order.
    pub(crate) order: BTreeMap<u32, Vec<Place>>,
    /// Records that are not as sent.
    pub(crate) wrong: Vec<String>,
    /// The next offset of each partition of this topic.
    next: BTreeMap<u32, u64>,
    /// Why reading ended.
    ended: Option<String>,
}

/// Reads the committed records of one topic of a harness.
pub(crate) struct Reader {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Reads outputs, whose payloads must be unchanged.
    pub(crate) async fn of_outputs(harness: &Harness) -> Self {
        Self::begin(harness, "out", Some(harness.name.clone())).await
    }

    /// Reads dead letters, whose payloads may be anything.
    pub(crate) async fn of_dead_letters(harness: &Harness) -> Self {
        Self::begin(harness, "dead", None).await
    }

    async fn begin(harness: &Harness, role: &str, run: Option<String>) -> Self {
        let mut tail = Tail::open(&harness.settings, &harness.topic(role), From::Start, Until::Dropped).await.unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some(record) = tail.next().await {
                let mut seen = kept.lock().unwrap();
                match record {
                    Ok(record) => seen.note(&record, run.as_deref()),
                    Err(error) => seen.ended = Some(format!("{error:#}")),
                }
            }
        });
        Self { seen, task }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Waits until it has read up to these ends.
    pub(crate) async fn until(&self, ends: &[u64]) {
        let deadline = Instant::now() + PATIENCE;
        let reached = || {
            let seen = self.seen();
            assert!(seen.ended.is_none(), "reading ended: {:?}", seen.ended);
            let next = |partition: usize| seen.next.get(&u32::try_from(partition).unwrap()).copied().unwrap_or(0);
            ends.iter().enumerate().all(|(partition, end)| next(partition) >= *end)
        };
        while !reached() {
            assert!(Instant::now() < deadline, "the reader does not reach the end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    /// Everything in a list of records.
    pub(crate) fn of(records: &[Event], run: Option<&str>) -> Self {
        let mut seen = Self::default();
        records.iter().for_each(|record| seen.note(record, run));
        seen
    }

    fn note(&mut self, record: &Event, run: Option<&str>) {
        let partition = record.id.partition.index;
        let offset = u64::try_from(record.id.position.0).unwrap();
        self.next.insert(partition, offset + 1);
        let job = header(record, "gristmill-job-id");
        let Some(place) = place(&job) else {
            self.wrong.push(format!("{job:?} is not a job id"));
            return;
        };
        *self.times.entry(place).or_default() += 1;
        self.order.entry(partition).or_default().push(place);
        let Some(run) = run else { return };
        match number(run, record.payload.as_deref().unwrap_or_default()) {
            Some(seq) => drop(self.numbers.insert(place, seq)),
            None => self.wrong.push(format!("the output of {job} is not what was sent")),
        }
    }
}

/// The place of the event of a job.
fn place(job: &str) -> Option<Place> {
    let mut parts = job.rsplit('/');
    let offset = parts.next()?.parse().ok()?;
    Some(Place { offset, partition: parts.next()?.parse().ok()? })
}
