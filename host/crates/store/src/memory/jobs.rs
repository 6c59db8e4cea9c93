//! Records of jobs in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::records::{Change, Done, Entry, Working};
use gristmill_core::model::{
    Act, Acted, Claim, Claimed, Cursor, JobFilter, JobId, JobNote, JobQuery, JobRecord, MOST_MOMENTS, Moment,
    Partition, Phase, Position, Run, Submission, Submitted, Summary, Timestamp,
};
use gristmill_core::ports::{
    ActNumber, Acts, AskedToCancel, Deliveries, Delivery, JobBook, Jobs, Published, StoreError, Tried, Wanted,
};

/// The largest answer to [`Acts::asked`].
const MOST_ACTS: usize = 1_000;

/// Records of jobs in memory. Grows with the jobs.
#[derive(Debug, Default)]
pub struct MemoryJobs {
    /// Locked because flow, API and sender of webhooks share it; never held across an await.
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    jobs: HashMap<JobId, Kept>,
    /// In the order of the list, upwards.
    listed: BTreeSet<Cursor>,
    keys: HashMap<[u8; 32], (JobId, [u8; 32])>,
    acts: BTreeMap<ActNumber, (JobId, Run)>,
    last_act: ActNumber,
}

#[derive(Debug)]
struct Kept {
    record: JobRecord,
    moments: BTreeMap<Run, Vec<Moment>>,
    deliveries: BTreeMap<Run, Leased>,
}

#[derive(Debug)]
struct Leased {
    delivery: Delivery,
    until: Option<Timestamp>,
}

impl MemoryJobs {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics midway through a change.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn change(&mut self, change: &Change) -> Done {
        let mut working = Working::default();
        for key in change.keys() {
            if let Some((job, request)) = self.keys.get(&key) {
                working.load_key(key, job.clone(), *request);
                working.load_stored(self.jobs.get(job));
            }
        }
        for job in change.jobs() {
            working.load_stored(self.jobs.get(job));
        }
        if let Change::Settled(..) = change {
            let settling = |kept: &&Kept| kept.record.standing.phase == Phase::Settling;
            self.jobs.values().filter(settling).for_each(|kept| working.load_stored(Some(kept)));
        }
        let done = working.apply(change);
        working.changed().for_each(|entry| self.write(entry));
        done
    }

    fn write(&mut self, entry: &Entry) {
        let record = &entry.record;
        self.listed.insert(Cursor { created: record.created, job: record.job.clone() });
        if let Some((key, request)) = entry.once {
            self.keys.insert(key, (record.job.clone(), request));
        }
        for run in &entry.asked {
            self.last_act.0 += 1;
            self.acts.insert(self.last_act, (record.job.clone(), *run));
        }
        if entry.forgets_acts() {
            self.acts.retain(|_, (job, _)| *job != record.job);
        }
        let new = || Kept { record: record.clone(), moments: BTreeMap::new(), deliveries: BTreeMap::new() };
        let kept = self.jobs.entry(record.job.clone()).or_insert_with(new);
        kept.record = record.clone();
        for moment in &entry.moments {
            let of_run = kept.moments.entry(moment.run).or_default();
            if of_run.len() < MOST_MOMENTS {
                of_run.push(moment.clone());
            }
        }
        for run in &entry.deliveries {
            let Some(url) = record.webhook.clone() else { continue };
            let (job, due) = (record.job.clone(), Some(record.updated));
            let delivery = Delivery { job, run: *run, url, tries: 0, last: None, due };
            kept.deliveries.entry(*run).or_insert(Leased { delivery, until: None });
        }
    }

    /// Those that a filter takes, the newest first.
    fn taken<'a>(&'a self, filter: &'a JobFilter, after: Option<&Cursor>) -> impl Iterator<Item = &'a JobRecord> {
        let listed = match after {
            Some(after) => self.listed.range::<Cursor, _>(..after),
            None => self.listed.range::<Cursor, _>(..),
        };
        let records = listed.rev().filter_map(|cursor| self.jobs.get(&cursor.job)).map(|kept| &kept.record);
        records.filter(|record| filter.takes(record))
    }
}

impl Working {
    fn load_stored(&mut self, kept: Option<&Kept>) {
        if let Some(kept) = kept {
            self.load(kept.record.clone());
        }
    }
}

#[async_trait]
impl Jobs for MemoryJobs {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        match self.book().change(&Change::Claim(claim.clone())) {
            Done::Claimed(claimed) => Ok(claimed),
            _ => Ok(Claimed::Unknown),
        }
    }

    async fn note(&self, notes: &[JobNote]) -> Result<(), StoreError> {
        self.book().change(&Change::Note(notes.to_vec()));
        Ok(())
    }

    async fn settled_before(&self, partition: &Partition, position: Position, at: Timestamp) -> Result<(), StoreError> {
        self.book().change(&Change::Settled(partition.clone(), position, at));
        Ok(())
    }
}

#[async_trait]
impl Acts for MemoryJobs {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        match self.book().change(&Change::Ask(job.clone(), act.clone(), at)) {
            Done::Acted(acted) => Ok(acted),
            _ => Ok(Acted::Unknown),
        }
    }

    async fn asked(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, StoreError> {
        let book = self.book();
        let later = book.acts.range(ActNumber(after.0.saturating_add(1))..).take(MOST_ACTS);
        Ok(later.map(|(number, (job, run))| AskedToCancel { number: *number, job: job.clone(), run: *run }).collect())
    }
}

#[async_trait]
impl JobBook for MemoryJobs {
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError> {
        match self.book().change(&Change::Submit(submissions)) {
            Done::Submitted(submitted) => Ok(submitted),
            _ => Ok(Vec::new()),
        }
    }

    async fn find(&self, job: &JobId, wanted: Wanted) -> Result<Option<(JobRecord, Vec<Moment>)>, StoreError> {
        let book = self.book();
        let Some(kept) = book.jobs.get(job) else { return Ok(None) };
        let moments = match wanted {
            Wanted::Record => Vec::new(),
            Wanted::History => kept.moments.values().flatten().cloned().collect(),
        };
        Ok(Some((kept.record.clone(), moments)))
    }

    async fn list(&self, query: &JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        let JobQuery { filter, after, most } = query;
        let most = usize::try_from(*most).unwrap_or(usize::MAX);
        Ok(self.book().taken(filter, after.as_ref()).take(most).cloned().collect())
    }

    async fn summary(&self, filter: &JobFilter) -> Result<Summary, StoreError> {
        let mut summary = Summary::default();
        self.book().taken(filter, None).for_each(|record| summary.add(record));
        Ok(summary)
    }
}

impl Published for MemoryJobs {
    fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError> {
        self.book().change(&Change::Published(jobs.to_vec(), at));
        Ok(())
    }
}

#[async_trait]
impl Deliveries for MemoryJobs {
    async fn due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<(Delivery, JobRecord)>, StoreError> {
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let mut taken = Vec::new();
        for Kept { record, deliveries, .. } in self.book().jobs.values_mut() {
            for Leased { delivery, until } in deliveries.values_mut() {
                let is_due = delivery.due.is_some_and(|due| due <= now) && until.is_none_or(|until| until <= now);
                if is_due && taken.len() < usize::try_from(most).unwrap_or(usize::MAX) {
                    *until = Some(Timestamp(now.0.saturating_add(lease)));
                    taken.push((delivery.clone(), record.clone()));
                }
            }
        }
        Ok(taken)
    }

    async fn tried(&self, job: &JobId, run: Run, tried: &Tried, next: Option<Timestamp>) -> Result<(), StoreError> {
        let mut book = self.book();
        if let Some(leased) = book.jobs.get_mut(job).and_then(|kept| kept.deliveries.get_mut(&run)) {
            leased.delivery.tries = leased.delivery.tries.saturating_add(1);
            leased.delivery.last = Some(tried.clone());
            leased.delivery.due = next;
            leased.until = None;
        }
        Ok(())
    }

    async fn again(&self, job: &JobId, now: Timestamp) -> Result<bool, StoreError> {
        let mut book = self.book();
        let Some(mut last) = book.jobs.get_mut(job).and_then(|kept| kept.deliveries.last_entry()) else {
            return Ok(false);
        };
        last.get_mut().delivery.due = Some(now);
        last.get_mut().until = None;
        Ok(true)
    }

    async fn of(&self, job: &JobId) -> Result<Vec<Delivery>, StoreError> {
        let book = self.book();
        let deliveries = book.jobs.get(job).into_iter().flat_map(|kept| kept.deliveries.values());
        Ok(deliveries.map(|leased| leased.delivery.clone()).collect())
    }
}
