//! Records of jobs in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::records::{Change, Done, Entry, Working};
use crate::settings::Clock;
use gristmill_core::model::{
    Act, Acted, Claim, Claimed, Cursor, JobFilter, JobId, JobNote, JobQuery, JobRecord, MOST_MOMENTS, Moment,
    Partition, Phase, Position, Run, Submission, Submitted, Summary, Timestamp,
};
use gristmill_core::ports::{
    ActNumber, Acts, AskedToCancel, Deliveries, Delivery, JobBook, Jobs, Published, StoreError, Tried, Wanted,
};

/// The largest answer to [`Acts::asked`].
const MOST_ACTS: usize = 1_000;

/// Records of jobs in memory, until they are too old. Grows with the jobs of that time.
pub struct MemoryJobs {
    /// Locked because flow, API and sender of webhooks share it; never held across an await.
    book: Mutex<Book>,
    /// How long the record of a job that is over is kept, and that of another one, since it last changed; in milliseconds.
    keep_over: i64,
    keep_unfinished: i64,
    clock: Clock,
}

#[derive(Default)]
struct Book {
    jobs: HashMap<JobId, Kept>,
    /// When the records of jobs that are over last changed, and those of the others.
    over: BTreeSet<(Timestamp, JobId)>,
    unfinished: BTreeSet<(Timestamp, JobId)>,
    /// In the order of the list, upwards.
    listed: BTreeSet<Cursor>,
    keys: HashMap<[u8; 32], (JobId, [u8; 32])>,
    acts: BTreeMap<ActNumber, (JobId, Run)>,
    last_act: ActNumber,
}

struct Kept {
    record: JobRecord,
    touched: Timestamp,
    /// The key that it came with.
    key: Option<[u8; 32]>,
    moments: BTreeMap<Run, Vec<Moment>>,
    deliveries: BTreeMap<Run, Leased>,
}

struct Leased {
    delivery: Delivery,
    until: Option<Timestamp>,
}

impl MemoryJobs {
    /// No records yet. They are kept for so long after they last changed: those of jobs that are over, and the others.
    #[must_use]
    pub fn new(keep_ended: Duration, keep_unfinished: Duration, clock: Clock) -> Self {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let (keep_over, keep_unfinished) = (milliseconds(keep_ended), milliseconds(keep_unfinished));
        Self { book: Mutex::default(), keep_over, keep_unfinished, clock }
    }

    fn change(&self, change: &Change) -> Done {
        let now = (self.clock)();
        let before = |keep: i64| Timestamp(now.0.saturating_sub(keep));
        let mut book = self.book();
        book.forget(before(self.keep_over), before(self.keep_unfinished));
        book.change(change, now)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics midway through a change.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Deletes the records that last changed before these moments.
    fn forget(&mut self, over_before: Timestamp, unfinished_before: Timestamp) {
        while self.over.first().is_some_and(|(touched, _)| *touched < over_before) {
            self.over.pop_first().into_iter().for_each(|(_, job)| self.delete(&job));
        }
        while self.unfinished.first().is_some_and(|(touched, _)| *touched < unfinished_before) {
            self.unfinished.pop_first().into_iter().for_each(|(_, job)| self.delete(&job));
        }
    }

    fn delete(&mut self, job: &JobId) {
        let Some(Kept { record, key, .. }) = self.jobs.remove(job) else { return };
        self.listed.remove(&Cursor { created: record.created, job: job.clone() });
        if let Some(key) = key {
            self.keys.remove(&key);
        }
        if record.cancel {
            self.acts.retain(|_, (other, _)| other != job);
        }
    }

    fn change(&mut self, change: &Change, now: Timestamp) -> Done {
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
        working.changed().for_each(|entry| self.write(entry, now));
        done
    }

    fn write(&mut self, entry: &Entry, now: Timestamp) {
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
        let new = || Kept {
            record: record.clone(),
            touched: now,
            key: entry.once.map(|(key, _)| key),
            moments: BTreeMap::new(),
            deliveries: BTreeMap::new(),
        };
        let kept = self.jobs.entry(record.job.clone()).or_insert_with(new);
        let before = (kept.touched, record.job.clone());
        self.over.remove(&before);
        self.unfinished.remove(&before);
        let touched = if record.standing.phase == Phase::Ended { &mut self.over } else { &mut self.unfinished };
        touched.insert((now, record.job.clone()));
        kept.touched = now;
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
        match self.change(&Change::Claim(claim.clone())) {
            Done::Claimed(claimed) => Ok(claimed),
            _ => Ok(Claimed::Unknown),
        }
    }

    async fn note(&self, notes: &[JobNote]) -> Result<(), StoreError> {
        self.change(&Change::Note(notes.to_vec()));
        Ok(())
    }

    async fn settled_before(&self, partition: &Partition, position: Position, at: Timestamp) -> Result<(), StoreError> {
        self.change(&Change::Settled(partition.clone(), position, at));
        Ok(())
    }
}

#[async_trait]
impl Acts for MemoryJobs {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        match self.change(&Change::Ask(job.clone(), act.clone(), at)) {
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
        match self.change(&Change::Submit(submissions)) {
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
        self.change(&Change::Published(jobs.to_vec(), at));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use gristmill_core::model::{EventDigest, IdempotencyKey, Once};

    use super::*;

    fn submission(number: u8) -> Submission {
        Submission {
            job: JobId::submitted(1, &[number; 10]),
            owner: None,
            batch: None,
            once: Some(Once { key: IdempotencyKey(number.to_string()), request: [number; 32] }),
            event: EventDigest([number; 32]),
            attributes: Vec::new(),
            webhook: None,
            at: Timestamp(5),
        }
    }

    #[tokio::test]
    async fn records_are_forgotten_by_their_age_with_their_keys() {
        let time = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&time);
        let clock = Arc::new(move || Timestamp(clock.load(Ordering::SeqCst)));
        let jobs = MemoryJobs::new(Duration::from_millis(10), Duration::from_millis(50), clock);
        let (over, unfinished) = (submission(1), submission(2));
        jobs.submit(vec![over.clone(), unfinished.clone()]).await.unwrap();
        // Cancelled before any host has it: over when its event comes.
        jobs.ask(&over.job, &Act::Cancel, Timestamp(6)).await.unwrap();
        let partition = Partition { topic: "in".into(), index: 0 };
        let place = gristmill_core::model::EventId { partition, position: Position(1) };
        let claim = Claim { job: over.job.clone(), run: Run::FIRST, place, event: over.event, at: Timestamp(7) };
        assert_eq!(jobs.claim(&claim).await.unwrap(), Claimed::Over);
        let listed = async || {
            let all = JobQuery { filter: JobFilter::default(), after: None, most: 10 };
            jobs.list(&all).await.unwrap().into_iter().map(|record| record.job).collect::<Vec<_>>()
        };
        for (now, left) in [(10, 2), (11, 1), (50, 1), (51, 0)] {
            time.store(now, Ordering::SeqCst);
            jobs.published(&[], Timestamp(8)).unwrap();
            assert_eq!(listed().await.len(), left, "at {now}");
        }
        assert_eq!(jobs.find(&over.job, Wanted::Record).await.unwrap(), None);
        // Nothing that belonged to them is left.
        let book = jobs.book();
        let sizes = [book.jobs.len(), book.over.len(), book.unfinished.len(), book.listed.len(), book.keys.len()];
        assert_eq!((sizes, book.acts.len()), ([0; 5], 0));
    }
}
