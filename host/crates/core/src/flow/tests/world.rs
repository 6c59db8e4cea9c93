//! Test doubles for the flow's surroundings: a stage, a sink, a transactor and a store.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::play::Effects;
use super::server::Server;
use crate::model::{Event, EventId, Failure, JobId, Outcome, Output, Portion, Sign};
use crate::ports::{
    Batch, Batching, Call, Hold, JobState, Keep, Kept, Key, Letters, LettersError, Models, Record, Sink, SinkError,
    Stage, StageError, Store, StoreError, TransactionError, Transactor,
};

/// A sink that logs what it gets, and refuses what the test tells it to.
pub(super) struct NotingSink {
    pub(super) effects: Effects,
    pub(super) broken: Vec<&'static str>,
    pub(super) latency: Duration,
}

#[async_trait]
impl Sink for NotingSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        tokio::time::sleep(self.latency).await;
        for record in records {
            if text(&record) == "huge" && &*record.topic == "out" {
                return Err(SinkError::Refused { topic: record.topic, reason: "too large".into() });
            }
            if self.broken.contains(&&*record.topic) {
                let source = anyhow::anyhow!("no broker");
                return Err(SinkError::Unavailable { topic: record.topic, source });
            }
            self.effects.note(shown(&record));
        }
        Ok(())
    }
}

fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.payload.as_deref().unwrap_or(b"<null>")).into_owned()
}

/// The topic, the payload, and the reason if it is a dead letter.
fn shown(record: &Record) -> String {
    let reason = record.headers.iter().find(|header| header.name == "failure_reason");
    let reason = reason.and_then(|header| header.value.clone()).unwrap_or_default();
    let separator = if reason.is_empty() { "" } else { " " };
    format!("{} {}{separator}{}", record.topic, text(record), String::from_utf8_lossy(&reason))
}

/// Models that log which portion of the work they are told.
pub(super) struct NotingModels(Effects, u64);

impl NotingModels {
    pub(super) fn of(effects: &Effects, version: u64) -> Arc<dyn Models> {
        Arc::new(Self(effects.clone(), version))
    }
}

impl Models for NotingModels {
    fn forget(&self, _: &JobId) {}

    fn share(&self, portion: Portion) {
        self.0.note(format!("v{} does {}", self.1, portion.fraction()));
    }
}

/// A transactor that logs what it commits, after as many aborts as the test asks for.
pub(super) struct NotingTransactor {
    pub(super) effects: Effects,
    pub(super) aborts: Mutex<u32>,
    pub(super) latency: Duration,
}

#[async_trait]
impl Transactor for NotingTransactor {
    async fn commit(&self, batch: Batch) -> Result<(), TransactionError> {
        tokio::time::sleep(self.latency).await;
        let aborts = self.aborts.lock().unwrap().checked_sub(1);
        if let Some(left) = aborts {
            *self.aborts.lock().unwrap() = left;
            self.effects.note("aborted");
            return Err(TransactionError::Aborted("as told".into()));
        }
        if let Some(index) = batch.records.iter().position(|record| text(record) == "huge" && &*record.topic == "out") {
            let topic = Arc::clone(&batch.records[index].topic);
            return Err(TransactionError::Refused { record: index, topic, reason: "too large".into() });
        }
        let records: Vec<String> = batch.records.iter().map(shown).collect();
        let mut settled: Vec<String> = batch
            .settled
            .iter()
            .map(|settlement| format!("{} below {}", settlement.partition.index, settlement.below.0))
            .collect();
        settled.sort();
        self.effects.note(format!("committed [{}] {}", records.join(", "), settled.join(", ")));
        Ok(())
    }
}

/// Dead letters that can be read back, after as many failures as the test asks for.
pub(super) struct KeptLetters {
    pub(super) effects: Effects,
    pub(super) letters: Vec<Event>,
    pub(super) away: Mutex<u32>,
}

#[async_trait]
impl Letters for KeptLetters {
    async fn find(&self, place: &EventId) -> Result<Option<Event>, LettersError> {
        self.effects.note(format!("asked {place}"));
        let away = self.away.lock().unwrap().checked_sub(1);
        if let Some(left) = away {
            *self.away.lock().unwrap() = left;
            return Err(LettersError { reason: "as told".into() });
        }
        Ok(self.letters.iter().find(|letter| letter.id == *place).cloned())
    }
}

/// What one run of a host leaves for the next.
#[derive(Default)]
pub(super) struct MemoryStore {
    pub(super) kept: Mutex<HashMap<(JobId, Key), Kept>>,
    pub(super) full: bool,
    /// Recalls nothing, as if another host had kept its outcomes only a moment later.
    pub(super) blind: bool,
    /// How many calls are left unanswered before one is answered.
    pub(super) silent: Mutex<u32>,
    /// How many values each write had.
    pub(super) writes: Mutex<Vec<usize>>,
}

impl MemoryStore {
    fn works(&self) -> Result<(), StoreError> {
        match self.full {
            true => Err(StoreError::Broken { store: "test".into(), reason: "full".into() }),
            false => Ok(()),
        }
    }

    fn answers(&self) -> Result<(), StoreError> {
        let mut silent = self.silent.lock().unwrap();
        match silent.checked_sub(1) {
            Some(left) => {
                *silent = left;
                Err(StoreError::Transient { store: "test".into(), reason: "away".into() })
            }
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        self.answers()?;
        if self.blind {
            return Ok(None);
        }
        Ok(self.kept.lock().unwrap().get(&(job.clone(), key)).cloned())
    }

    async fn keys(&self, jobs: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        self.answers()?;
        let kept = self.kept.lock().unwrap();
        let keys = |job: &JobId| kept.keys().filter(|(of, _)| of == job && !self.blind).map(|(_, key)| *key).collect();
        Ok(jobs.iter().map(keys).collect())
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.works()?;
        self.answers()?;
        self.writes.lock().unwrap().push(new.len());
        // Not at once: whoever waits for the write must not go on before it.
        tokio::task::yield_now().await;
        let mut all = self.kept.lock().unwrap();
        let keep = |Keep { job, key, kept }: &Keep| match all.entry((job.clone(), *key)) {
            Entry::Occupied(earlier) => Some(earlier.get().clone()),
            Entry::Vacant(room) => {
                room.insert(kept.clone());
                None
            }
        };
        Ok(new.iter().map(keep).collect())
    }

    fn ended(&self, _: &JobId, _: JobState) -> Result<(), StoreError> {
        self.works()
    }
}

/// A stage that obeys its input: "slow 5" takes 5 s, "split a b" emits two items, "to spam a" sends a down a branch,
/// "trap", "reject", "limited 7" and so on; "ask" asks the server, "refused", "breaks" and "limited-alone" ask for what
/// it has something against; anything else passes through. An item that failed before becomes "mended".
pub(super) struct Obedient {
    pub(super) effects: Effects,
    pub(super) log_calls: bool,
    /// The version of the deployment.
    pub(super) version: u64,
    pub(super) server: Arc<Server>,
    /// Which items it takes in one call. One that is "unbatchable" breaks it.
    pub(super) batch: Batching,
}

#[async_trait]
impl Stage for Obedient {
    fn batching(&self) -> Batching {
        self.batch
    }

    async fn run_batch(&self, calls: &[Call]) -> Option<Vec<Result<Outcome, StageError>>> {
        let texts: Vec<_> = calls.iter().map(|call| String::from_utf8_lossy(&call.item.payload)).collect();
        if self.log_calls {
            self.effects.note(format!("batch {}", texts.join(" ")));
        }
        if texts.iter().any(|text| text == "unbatchable") {
            return None;
        }
        let mut results = Vec::new();
        for call in calls {
            results.push(self.run(call).await);
        }
        Some(results)
    }

    async fn run(&self, call: &Call) -> Result<Outcome, StageError> {
        let text = String::from_utf8_lossy(&call.item.payload).into_owned();
        if self.log_calls {
            self.effects.note(format!("call {text} #{}", call.attempt));
        }
        if call.item.attributes.iter().any(|attribute| attribute.name == "sys.failure.code") {
            return Ok(Outcome::Emit(vec![output("mended")]));
        }
        let mut words = text.split(' ');
        let failure = |code: &str| Failure::new(code, "as told");
        let seconds = |words: &mut std::str::Split<'_, char>| {
            Duration::from_secs(words.next().and_then(|word| word.parse().ok()).unwrap_or(0))
        };
        match words.next().unwrap_or_default() {
            "slow" => tokio::time::sleep(seconds(&mut words)).await,
            "split" => return Ok(Outcome::Emit(words.map(output).collect())),
            "to" => {
                let branch = words.next().map(str::to_owned);
                return Ok(Outcome::Emit(vec![Output { branch, ..output(&words.collect::<Vec<_>>().join(" ")) }]));
            }
            "worse" if self.version > 1 => return Err(StageError::Permanent(failure("worse"))),
            "stuck" if self.version > 1 => tokio::time::sleep(Duration::from_secs(600)).await,
            "drop" => return Ok(Outcome::Drop("told-to".into())),
            "reject" => return Err(StageError::Permanent(failure("rejected"))),
            "trap" => return Err(StageError::Trap(failure("trap"))),
            "flaky" if call.attempt == 1 => {
                return Err(StageError::Retry { failure: failure("flaky"), after: None });
            }
            "never" => {
                return Err(StageError::Retry { failure: failure("never"), after: None });
            }
            "limited" if self.effects.begun.elapsed() < Duration::from_secs(10) => {
                let after = Some(seconds(&mut words));
                return Err(StageError::Slow { failure: failure("limited"), after, hold: Hold::Limit });
            }
            "ask" => self.server.ask(call, None).await?,
            "refused" => self.server.ask(call, Some(Sign::Refused)).await?,
            "breaks" => self.server.ask(call, Some(Sign::Broken)).await?,
            "limited-alone" => self.server.ask(call, Some(Sign::Limited)).await?,
            "host" => return Err(StageError::Host(anyhow::anyhow!("no memory"))),
            "panic" => panic!("as told"),
            _ => {}
        }
        let text = if self.version == 1 { text } else { format!("{text} v{}", self.version) };
        Ok(Outcome::Emit(vec![output(&text)]))
    }
}

fn output(text: &str) -> Output {
    Output {
        payload: Bytes::copy_from_slice(text.as_bytes()),
        content_type: None,
        key: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        branch: None,
    }
}
