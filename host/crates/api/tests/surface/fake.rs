//! A host with the pipeline `p`, whose stores and broker are in memory. The rules of jobs are the model's own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gristmill_api::{Desk, Pipeline, StageLabel};
use gristmill_core::model::{
    Act, Acted, Caller, Ended, Event, EventId, Failure, Generation, JobFilter, JobId, JobNote, JobQuery, JobRecord,
    Moment, ObjectName, Owner, Partition, Percent, Phase, Position, Run, Scope, Stamp, Standing, StoredPayload,
    Submission, Submitted, Summary, Timestamp, Told,
};
use gristmill_core::ports::{
    ActNumber, Acts, Admission, AskedToCancel, Chunks, Deliveries, Delivery, Denied, JobBook, Letters, LettersError,
    ObjectError, Objects, Published, Record, Sink, SinkError, StoreError, Tried, Wanted,
};
use gristmill_core::settings::ByteSize;
use sha2::{Digest, Sha256};

/// Larger bodies go to objects, unless [`State::inline_max`] says otherwise.
pub(crate) const INLINE_MAX: u64 = 1_000;

/// What of the host is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Away {
    #[default]
    Nothing,
    Broker,
    Store,
    Pipeline,
}

pub(crate) type KeyOf = (Option<Owner>, String);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) jobs: BTreeMap<JobId, JobRecord>,
    pub(crate) keys: HashMap<KeyOf, (JobId, [u8; 32])>,
    pub(crate) moments: HashMap<JobId, Vec<Moment>>,
    pub(crate) events: Vec<Record>,
    pub(crate) objects: HashMap<String, Vec<u8>>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) away: Away,
    /// How often the store was asked for a job.
    pub(crate) finds: usize,
    /// How long the broker takes.
    pub(crate) slow: Duration,
    pub(crate) inline_max: Option<u64>,
}

/// The host.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn check(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        match state.away {
            Away::Store => Err(StoreError::Transient { store: "canary".into(), reason: "canary".into() }),
            _ => Ok(state),
        }
    }

    fn here(&self) -> Option<Arc<Pipeline>> {
        let fake = Arc::new(self.clone());
        let inline_max = self.state().inline_max.unwrap_or(INLINE_MAX);
        let stage = |name: &str, label: &str| StageLabel { name: name.into(), label: label.into() };
        (self.state().away != Away::Pipeline).then(|| {
            Arc::new(Pipeline {
                name: "p".into(),
                source: "in".into(),
                stages: vec![stage("parse", "parse"), stage("analyse", "Analysing entities")],
                inlet: Arc::<Self>::clone(&fake),
                events: Arc::<Self>::clone(&fake),
                book: Arc::<Self>::clone(&fake),
                published: Arc::<Self>::clone(&fake),
                acts: Arc::<Self>::clone(&fake),
                deliveries: Arc::<Self>::clone(&fake),
                objects: Some(fake),
                inline_max: ByteSize::bytes(inline_max),
            })
        })
    }

    /// Where the event of a job was published last.
    pub(crate) fn place(&self, job: &JobId) -> EventId {
        let state = self.state();
        let of_job =
            |record: &Record| header(record, "gristmill-submitted").is_some_and(|id| id.starts_with(job.as_str()));
        let index = state.events.iter().rposition(of_job).unwrap_or(0);
        let partition = Partition { topic: "in".into(), index: 0 };
        EventId { partition, position: Position(index as u128) }
    }

    /// A host notes that a job is so far.
    pub(crate) fn note(&self, job: &JobId, phase: Phase, percent: u8, ended: Option<Ended>, told: Told) {
        let place = self.place(job);
        let mut state = self.state();
        let record = state.jobs.get_mut(job).unwrap();
        let standing = Standing { phase, percent: Percent::new(percent), stage: 1, done: 0 };
        record.apply(&JobNote {
            job: job.clone(),
            run: record.run,
            place: place.clone(),
            first: Stamp { place, time: Timestamp(1) },
            standing,
            ended,
            told,
            moments: Vec::new(),
            at: Timestamp(record.updated.0 + 1),
        });
    }

    /// A host has failed at a job.
    pub(crate) fn fail(&self, job: &JobId) {
        let told = Told { last_error: Some(Failure::new("bad-input", "it is bad")), ..Told::default() };
        self.note(job, Phase::Ended, 50, Some(Ended::Failed), told);
    }
}

/// A header of an event, as text.
pub(crate) fn header(record: &Record, name: &str) -> Option<String> {
    let header = record.headers.iter().find(|header| header.name == name)?;
    Some(String::from_utf8_lossy(header.value.as_deref()?).into_owned())
}

impl Desk for Fake {
    fn pipelines(&self) -> Vec<Arc<Pipeline>> {
        self.here().into_iter().collect()
    }

    fn pipeline(&self, name: &str) -> Option<Arc<Pipeline>> {
        self.here().filter(|_| name == "p")
    }

    fn absent(&self) -> Vec<Arc<str>> {
        if self.here().is_some() { Vec::new() } else { vec!["p".into()] }
    }
}

#[async_trait]
impl Admission for Fake {
    /// Tokens are `SUBJECT:SCOPE,…`; without one everybody is on this machine.
    async fn admit(&self, token: Option<&str>) -> Result<Caller, Denied> {
        let Some(token) = token else { return Ok(Caller::local()) };
        let (subject, scopes) = token.split_once(':').ok_or_else(|| Denied::BadToken("no colon".into()))?;
        if subject == "later" {
            return Err(Denied::NotNow { retry_after: Duration::from_secs(7) });
        }
        let scopes = scopes.split(',').map(|name| name.replace('.', ":"));
        let owner = Owner { tenant: "t".into(), subject: subject.into() };
        Ok(Caller { owner: Some(owner), scopes: scopes.filter_map(|name| Scope::named(&name)).collect() })
    }
}

#[async_trait]
impl JobBook for Fake {
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError> {
        let mut state = self.check()?;
        let known = |state: &State, one: &Submission| {
            let once = one.once.as_ref()?;
            let (job, request) = state.keys.get(&(one.owner.clone(), once.key.0.clone()))?;
            let is_published = state.jobs[job].standing.phase > Phase::Accepted;
            Some(match *request == once.request {
                true => Submitted::Before { job: job.clone(), is_published },
                false => Submitted::Conflict,
            })
        };
        let found: Vec<_> = submissions.iter().map(|one| known(&state, one)).collect();
        if found.contains(&Some(Submitted::Conflict)) {
            return Ok(found.into_iter().map(|found| found.unwrap_or(Submitted::Conflict)).collect());
        }
        if found.iter().any(Option::is_some) {
            return Ok(found.into_iter().map(|found| found.unwrap_or(Submitted::Forgotten)).collect());
        }
        let mut all = Vec::new();
        for (one, found) in submissions.into_iter().zip(found) {
            all.push(found.unwrap_or_else(|| {
                if let Some(once) = &one.once {
                    state.keys.insert((one.owner.clone(), once.key.0.clone()), (one.job.clone(), once.request));
                }
                state.jobs.insert(one.job.clone(), JobRecord::of(one));
                Submitted::New
            }));
        }
        Ok(all)
    }

    async fn find(&self, job: &JobId, wanted: Wanted) -> Result<Option<(JobRecord, Vec<Moment>)>, StoreError> {
        let mut state = self.check()?;
        state.finds += 1;
        let moments = match wanted {
            Wanted::Record => Vec::new(),
            Wanted::History => state.moments.get(job).cloned().unwrap_or_default(),
        };
        Ok(state.jobs.get(job).map(|record| (record.clone(), moments)))
    }

    async fn list(&self, query: &JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        let state = self.check()?;
        let mut all: Vec<_> = state.jobs.values().filter(|record| query.filter.takes(record)).cloned().collect();
        all.sort_by(|one, other| (other.created, &other.job).cmp(&(one.created, &one.job)));
        if let Some(after) = &query.after {
            all.retain(|record| (record.created, &record.job) < (after.created, &after.job));
        }
        all.truncate(query.most as usize);
        Ok(all)
    }

    async fn summary(&self, filter: &JobFilter) -> Result<Summary, StoreError> {
        let mut summary = Summary::default();
        self.check()?.jobs.values().filter(|record| filter.takes(record)).for_each(|record| summary.add(record));
        Ok(summary)
    }
}

#[async_trait]
impl Acts for Fake {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        Ok(self.check()?.jobs.get_mut(job).map_or(Acted::Unknown, |record| record.act(act, at)))
    }

    async fn asked(&self, _: ActNumber) -> Result<Vec<AskedToCancel>, StoreError> {
        Ok(Vec::new())
    }
}

impl Published for Fake {
    fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        for (job, run) in jobs {
            if let Some(record) = state.jobs.get_mut(job) {
                record.published(*run, at);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Deliveries for Fake {
    async fn due(&self, _: Timestamp, _: Duration, _: u32) -> Result<Vec<(Delivery, JobRecord)>, StoreError> {
        Ok(Vec::new())
    }

    async fn tried(&self, _: &JobId, _: Run, _: &Tried, _: Option<Timestamp>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn again(&self, job: &JobId, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.check()?;
        let last = state.deliveries.iter_mut().rfind(|delivery| delivery.job == *job);
        Ok(last.map(|last| last.due = Some(now)).is_some())
    }

    async fn of(&self, job: &JobId) -> Result<Vec<Delivery>, StoreError> {
        Ok(self.check()?.deliveries.iter().filter(|delivery| delivery.job == *job).cloned().collect())
    }
}

#[async_trait]
impl Objects for Fake {
    async fn put(&self, name: ObjectName, mut bytes: Chunks, most: u64) -> Result<StoredPayload, ObjectError> {
        let (mut digest, mut size, mut kept) = (Sha256::new(), 0, Vec::new());
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(ObjectError::Source)?;
            digest.update(&chunk);
            size += chunk.len() as u64;
            // Enough to tell bodies apart: a gigabyte is only counted.
            kept.extend(chunk.iter().take((1_usize << 20).saturating_sub(kept.len())));
            if size > most {
                return Err(ObjectError::TooLarge { most });
            }
        }
        self.state().objects.insert(name.as_str().to_owned(), kept);
        Ok(StoredPayload { name, sha256: digest.finalize().into(), size })
    }

    async fn get(&self, stored: &StoredPayload) -> Result<Chunks, ObjectError> {
        let name = stored.name.as_str().to_owned();
        let bytes = self.state().objects.get(&name).cloned().ok_or(ObjectError::Missing { name })?;
        Ok(stream::iter([Ok(Bytes::from(bytes))]).boxed())
    }

    async fn sweep(&self, _: Timestamp) -> Result<u64, ObjectError> {
        Ok(0)
    }
}

#[async_trait]
impl Sink for Fake {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        let slow = self.state().slow;
        tokio::time::sleep(slow).await;
        let mut state = self.state();
        if state.away == Away::Broker {
            let source = std::io::Error::other("canary").into();
            return Err(SinkError::Unavailable { topic: "in".into(), source });
        }
        state.events.extend(records);
        Ok(())
    }
}

#[async_trait]
impl Letters for Fake {
    async fn find(&self, place: &EventId) -> Result<Option<Event>, LettersError> {
        let state = self.state();
        let record = usize::try_from(place.position.0).ok().and_then(|index| state.events.get(index));
        Ok(record.map(|record| Event {
            id: place.clone(),
            generation: Generation(0),
            key: record.key.clone(),
            payload: record.payload.clone(),
            headers: record.headers.clone(),
            timestamp: record.timestamp,
            deliveries: None,
            fault: None,
        }))
    }
}
