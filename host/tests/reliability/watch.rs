//! Watches a group while faults are injected: its offsets never go back and never pass an unfinished event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::Harness;
use crate::oracle::Place;
use crate::reader::Reader;

const EVERY: Duration = Duration::from_millis(200);

/// What was observed.
#[derive(Debug, Default, Clone)]
pub(crate) struct Watched {
    pub(crate) samples: usize,
    /// The most records written within a second.
    pub(crate) peak: u64,
    /// The longest time without progress although there were events left.
    pub(crate) standstill: Duration,
    /// How often each partition made progress.
    pub(crate) moves: Vec<usize>,
}

/// The watching task.
pub(crate) struct Watch {
    stop: watch::Sender<bool>,
    task: JoinHandle<Watched>,
}

impl Watch {
    /// Checks every 0.2 s until `end`, which panics if a check failed.
    pub(crate) fn begin(harness: &Arc<Harness>, out: &Arc<Reader>, dead: &Arc<Reader>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let looking = Looking {
            harness: Arc::clone(harness),
            readers: [Arc::clone(out), Arc::clone(dead)],
            last: Vec::new(),
            moved: Instant::now(),
            rates: VecDeque::new(),
            watched: Watched::default(),
        };
        Self { stop, task: tokio::spawn(looking.run(stopped)) }
    }

    /// Stops watching and returns what was observed.
    pub(crate) async fn end(self) -> Watched {
        self.stop.send(true).unwrap_or_default();
        match self.task.await {
            Ok(watched) => watched,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

struct Looking {
    harness: Arc<Harness>,
    readers: [Arc<Reader>; 2],
    last: Vec<u64>,
    moved: Instant,
    rates: VecDeque<(Instant, u64)>,
    watched: Watched,
}

impl Looking {
    async fn run(mut self, mut stop: watch::Receiver<bool>) -> Watched {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            self.look().await;
            if *stop.borrow() {
                return self.watched;
            }
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn look(&mut self) {
        let committed = self.harness.committed();
        let idle = committed == self.harness.ends("in");
        // Outputs are written before their offsets are committed, so they are below these ends.
        let ends = ["out", "dead"].map(|role| self.harness.ends(role));
        for (reader, ends) in self.readers.iter().zip(&ends) {
            reader.until(ends).await;
        }
        self.rate(ends.iter().flatten().sum());
        let before = if self.last.is_empty() { vec![0; committed.len()] } else { self.last.clone() };
        self.watched.moves.resize(committed.len(), 0);
        for (partition, (now, before)) in committed.iter().zip(&before).enumerate() {
            assert!(now >= before, "the offset of partition {partition} went back from {before} to {now}");
            self.watched.moves[partition] += usize::from(now > before);
            self.must_be_finished(u32::try_from(partition).unwrap(), *before, *now);
        }
        if committed != before || idle {
            self.moved = Instant::now();
        }
        self.watched.standstill = self.watched.standstill.max(self.moved.elapsed());
        self.watched.samples += 1;
        self.last = committed;
    }

    /// Everything that was settled since the last check must have arrived.
    fn must_be_finished(&self, partition: u32, from: u64, below: u64) {
        let [out, dead] = [self.readers[0].seen(), self.readers[1].seen()];
        for offset in from..below {
            let place = Place { partition, offset };
            assert!(
                out.times.contains_key(&place) || dead.times.contains_key(&place),
                "{place:?} is settled (committed {below}) and is neither in the sink nor in the dead letters"
            );
        }
    }

    fn rate(&mut self, written: u64) {
        let now = Instant::now();
        while self.rates.front().is_some_and(|(then, _)| now - *then > Duration::from_millis(1_250)) {
            self.rates.pop_front();
        }
        if let Some((then, before)) = self.rates.front() {
            let seconds = (now - *then).as_secs_f64().max(1.0);
            self.watched.peak = self.watched.peak.max(((written - before) as f64 / seconds).ceil() as u64);
        }
        self.rates.push_back((now, written));
    }
}
