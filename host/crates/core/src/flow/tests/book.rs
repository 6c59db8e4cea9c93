//! Test doubles for the records of jobs and for the object store. Both outlive a run of the flow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::play::Effects;
use crate::model::{
    Act, Acted, Claim, Claimed, EventDigest, JobId, JobNote, JobRecord, Moment, ObjectName, Partition, PayloadText,
    Phase, Position, StoredPayload, Submission, Timestamp,
};
use crate::ports::{ActNumber, Acts, AskedToCancel, Chunks, Jobs, ObjectError, Objects, StoreError};

/// The records of jobs, by the rule that all stores follow.
#[derive(Default)]
pub(super) struct MemoryBook {
    pub(super) records: Mutex<HashMap<String, JobRecord>>,
    /// Every state that a record has been in.
    pub(super) states: Mutex<Vec<JobRecord>>,
    pub(super) moments: Mutex<Vec<Moment>>,
    pub(super) notes: Mutex<Vec<JobNote>>,
    pub(super) asked: Mutex<Vec<AskedToCancel>>,
    /// How many calls are left unanswered before one is answered.
    pub(super) silent: Mutex<u32>,
    pub(super) full: bool,
    pub(super) effects: Mutex<Option<Effects>>,
}

impl MemoryBook {
    pub(super) fn log_to(&self, effects: &Effects) {
        *self.effects.lock().unwrap() = Some(effects.clone());
    }

    /// Writes a submission down, as the API does.
    pub(super) fn submit(&self, job: &JobId, payload: PayloadText<'_>) {
        let record = JobRecord::of(Submission {
            job: job.clone(),
            owner: None,
            batch: None,
            once: None,
            event: EventDigest::of(None, payload),
            attributes: Vec::new(),
            webhook: None,
            at: Timestamp(0),
        });
        self.records.lock().unwrap().insert(job.to_string(), record);
    }

    pub(super) fn record(&self, job: &str) -> JobRecord {
        self.records.lock().unwrap()[job].clone()
    }

    pub(super) fn cancel(&self, job: &str) {
        let mut records = self.records.lock().unwrap();
        // Nobody knows a job of which nothing was noted yet.
        let record = records.get_mut(job).unwrap();
        if let Acted::Done(run) = record.act(&Act::Cancel, Timestamp(0)) {
            let mut asked = self.asked.lock().unwrap();
            let number = ActNumber(asked.len() as u64 + 1);
            asked.push(AskedToCancel { number, job: record.job.clone(), run });
        }
    }

    fn log(&self, what: String) {
        if let Some(effects) = &*self.effects.lock().unwrap() {
            effects.note(what);
        }
    }

    fn answers(&self) -> Result<(), StoreError> {
        let mut silent = self.silent.lock().unwrap();
        if let Some(left) = silent.checked_sub(1) {
            *silent = left;
            return Err(StoreError::Transient { store: "test".into(), reason: "away".into() });
        }
        match self.full {
            true => Err(StoreError::Broken { store: "test".into(), reason: "full".into() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Jobs for MemoryBook {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.answers()?;
        match self.records.lock().unwrap().get_mut(claim.job.as_str()) {
            Some(record) => Ok(record.claim(claim)),
            None => Ok(Claimed::Unknown),
        }
    }

    async fn note(&self, notes: &[JobNote]) -> Result<(), StoreError> {
        self.answers()?;
        for note in notes {
            self.notes.lock().unwrap().push(note.clone());
            self.moments.lock().unwrap().extend(note.moments.iter().cloned());
            let mut records = self.records.lock().unwrap();
            let record = records.entry(note.job.to_string()).or_insert_with(|| JobRecord::heard(note));
            let is_over = record.apply(note);
            self.states.lock().unwrap().push(record.clone());
            match note.ended {
                Some(ended) if is_over => self.log(format!("recorded {} {ended:?}", note.job)),
                Some(_) if note.standing.phase == Phase::Settling => self.log(format!("recorded {} settles", note.job)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn settled_before(&self, _: &Partition, position: Position, at: Timestamp) -> Result<(), StoreError> {
        self.answers()?;
        for record in self.records.lock().unwrap().values_mut() {
            if record.place.as_ref().is_some_and(|place| place.position < position) && record.settled(at) {
                self.log(format!("recorded {} {:?} before {position}", record.job, record.ended));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Acts for MemoryBook {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        let mut records = self.records.lock().unwrap();
        Ok(records.get_mut(job.as_str()).map_or(Acted::Unknown, |record| record.act(act, at)))
    }

    async fn asked(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, StoreError> {
        let asked = self.asked.lock().unwrap();
        Ok(asked.iter().filter(|asked| asked.number > after).cloned().collect())
    }
}

/// Objects in memory.
#[derive(Default)]
pub(super) struct MemoryObjects {
    pub(super) objects: Mutex<HashMap<String, Bytes>>,
    /// How many calls are left unanswered before one is answered.
    pub(super) silent: Mutex<u32>,
}

impl MemoryObjects {
    /// Stores bytes, and returns what refers to them.
    pub(super) fn with(name: &str, bytes: &'static str) -> (Arc<Self>, StoredPayload) {
        let objects = Self::default();
        objects.objects.lock().unwrap().insert(name.to_owned(), Bytes::from_static(bytes.as_bytes()));
        (Arc::new(objects), stored(name.parse().unwrap(), bytes.as_bytes()))
    }

    fn answers(&self) -> Result<(), ObjectError> {
        let mut silent = self.silent.lock().unwrap();
        let Some(left) = silent.checked_sub(1) else { return Ok(()) };
        *silent = left;
        Err(ObjectError::Transient { reason: "away".into() })
    }
}

fn stored(name: ObjectName, bytes: &[u8]) -> StoredPayload {
    StoredPayload { name, sha256: Sha256::digest(bytes).into(), size: bytes.len() as u64 }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn put(&self, name: ObjectName, bytes: Chunks, _: u64) -> Result<StoredPayload, ObjectError> {
        self.answers()?;
        let chunks: Vec<Bytes> = bytes.try_collect().await.map_err(ObjectError::Source)?;
        let whole = Bytes::from(chunks.concat());
        self.objects.lock().unwrap().insert(name.as_str().to_owned(), whole.clone());
        Ok(stored(name, &whole))
    }

    async fn get(&self, stored: &StoredPayload) -> Result<Chunks, ObjectError> {
        self.answers()?;
        let name = stored.name.as_str();
        let Some(bytes) = self.objects.lock().unwrap().get(name).cloned() else {
            return Err(ObjectError::Missing { name: name.to_owned() });
        };
        // In two parts.
        let second = bytes.slice(bytes.len() / 2..);
        Ok(stream::iter([Ok(bytes.slice(..bytes.len() / 2)), Ok(second)]).boxed())
    }

    async fn sweep(&self, _: Timestamp) -> Result<u64, ObjectError> {
        Ok(0)
    }
}
