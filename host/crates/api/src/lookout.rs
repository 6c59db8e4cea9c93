//! What readers of jobs see: a cache that asks the store for each job at most every 250 ms, whoever else reads it, more seldom
//! while the job stays as it is; and one task for each job that somebody follows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use gristmill_core::model::{Caller, JobId, JobRecord, Moment, Owner, Phase};
use gristmill_core::ports::Wanted;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::desk::{Desk, Pipeline};
use super::problem::{Kind, Problem};
use super::text::no_job;
use super::view::JobView;

/// How old an answer may be about a job that has just changed.
const FRESH: Duration = Duration::from_millis(250);
/// The same about one that does not change: it begins with [`FRESH`]. Also how often such a job is looked at that somebody
/// follows.
const SELDOM: Duration = Duration::from_secs(1);
/// The same about one that is over. Retries that come by this API are seen at once, those by another host then.
const OVER: Duration = Duration::from_secs(2);
/// With so many jobs in the cache, those that nobody has read lately are forgotten.
const MANY: usize = 4_096;

/// A job as it was a moment ago. Small: without outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    owner: Option<Owner>,
    /// Run and version: another one whenever the job is another one.
    pub(crate) tag: String,
    /// Whether it is over.
    pub(crate) is_over: bool,
    /// Its status.
    pub(crate) status: &'static str,
    /// The [`JobView`], as JSON.
    pub(crate) body: Bytes,
}

/// A job's record, and where it was found.
pub(crate) struct Found {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) record: JobRecord,
    pub(crate) moments: Vec<Moment>,
}

/// What is known of one job. Its lock is held while the store is asked: one question at a time.
#[derive(Default)]
struct Slot(Option<Known>);

/// All that is known.
#[derive(Default)]
struct Slots {
    by_job: HashMap<JobId, Arc<tokio::sync::Mutex<Slot>>>,
    /// With so many, what is no longer good is forgotten.
    many: usize,
}

impl Slots {
    fn of(&mut self, job: &JobId) -> &Arc<tokio::sync::Mutex<Slot>> {
        if self.by_job.len() >= self.many.max(MANY) && !self.by_job.contains_key(job) {
            let is_good = |slot: &Slot| slot.0.as_ref().is_some_and(Known::is_good);
            self.by_job.retain(|_, slot| slot.try_lock().map_or(true, |slot| is_good(&slot)));
            // Not again for each of the next ones, if most of them are good.
            self.many = 2 * self.by_job.len();
        }
        self.by_job.entry(job.clone()).or_default()
    }
}

/// A job, as it was seen.
struct Known {
    /// `None` if there is no such job.
    seen: Option<Arc<Seen>>,
    at: Instant,
    /// How long it may be told.
    good_for: Duration,
}

impl Known {
    /// What was just seen, after what was known before.
    fn after(before: Option<&Self>, seen: Option<Arc<Seen>>) -> Self {
        let good_for = match (&seen, before) {
            (Some(seen), _) if seen.is_over => OVER,
            (Some(seen), Some(Self { seen: Some(last), good_for, .. })) if last.tag == seen.tag => {
                SELDOM.min(*good_for * 2)
            }
            _ => FRESH,
        };
        Self { seen, at: Instant::now(), good_for }
    }

    fn is_good(&self) -> bool {
        self.at.elapsed() < self.good_for
    }
}

/// The cache and the tasks.
pub(crate) struct Lookout {
    desk: Arc<dyn Desk>,
    work: TaskTracker,
    slots: Mutex<Slots>,
    followed: Mutex<HashMap<JobId, watch::Sender<Arc<Seen>>>>,
}

impl Seen {
    fn of(found: &Found) -> Self {
        let Found { pipeline, record, moments: _ } = found;
        let view = JobView::of(&pipeline.name, &pipeline.stages, record);
        Self {
            owner: record.owner.clone(),
            tag: format!("{}-{}", record.run.0, record.version),
            is_over: record.standing.phase == Phase::Ended,
            status: view.status,
            // A struct of text and numbers is always JSON.
            body: serde_json::to_vec(&view).unwrap_or_default().into(),
        }
    }
}

impl Lookout {
    /// Asks these pipelines. The tasks are among the work.
    pub(crate) fn new(desk: Arc<dyn Desk>, work: TaskTracker) -> Self {
        Self { desk, work, slots: Mutex::default(), followed: Mutex::default() }
    }

    /// The record of a job as it is now, for a caller who may see it. Another's job is answered as one that does not exist.
    pub(crate) async fn find(&self, caller: &Caller, job: &JobId, wanted: Wanted) -> Result<Found, Problem> {
        let found = self.ask(job, wanted).await?;
        found.filter(|found| caller.sees(found.record.owner.as_ref())).ok_or_else(|| no_job(job.as_str()))
    }

    /// The same from the cache.
    pub(crate) async fn see(&self, caller: &Caller, job: &JobId) -> Result<Arc<Seen>, Problem> {
        let seen = self.look(job, Known::is_good).await?;
        seen.filter(|seen| caller.sees(seen.owner.as_ref())).ok_or_else(|| no_job(job.as_str()))
    }

    /// A new job is as this record says, unless somebody has seen it already.
    pub(crate) fn know(&self, pipeline: &Arc<Pipeline>, record: JobRecord) {
        let slot = self.slot(&record.job);
        // Whoever has the lock asks the store now.
        if let Ok(mut slot) = slot.try_lock()
            && slot.0.is_none()
        {
            let found = Found { pipeline: Arc::clone(pipeline), record, moments: Vec::new() };
            slot.0 = Some(Known::after(None, Some(Arc::new(Seen::of(&found)))));
        }
    }

    /// What is known of a job has changed: the next reader sees it.
    pub(crate) fn forget(&self, job: &JobId) {
        lock(&self.slots).by_job.remove(job);
    }

    /// The job from now on, until it is over. The receiver has its present state; it is closed after the last one.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        caller: &Caller,
        job: &JobId,
    ) -> Result<watch::Receiver<Arc<Seen>>, Problem> {
        let seen = self.see(caller, job).await?;
        let mut followed = lock(&self.followed);
        if let Some(sender) = followed.get(job) {
            return Ok(sender.subscribe());
        }
        let (sender, receiver) = watch::channel(Arc::clone(&seen));
        if !seen.is_over {
            followed.insert(job.clone(), sender);
            drop(followed);
            let (lookout, job) = (Arc::clone(self), job.clone());
            self.work.spawn(async move { lookout.watch(&job).await });
        }
        Ok(receiver)
    }

    async fn watch(&self, job: &JobId) {
        let mut pause = FRESH;
        loop {
            tokio::time::sleep(pause).await;
            let seen = self.look(job, |known| known.at.elapsed() < FRESH).await;
            let mut followed = lock(&self.followed);
            let Some(sender) = followed.get(job) else { return };
            // Whoever comes from now on finds none, and begins another task.
            if sender.receiver_count() == 0 {
                followed.remove(job);
                return;
            }
            // A store that is away comes back: its readers wait, with signs of life.
            let Ok(seen) = seen else { continue };
            let Some(seen) = seen else {
                followed.remove(job);
                return;
            };
            let is_over = seen.is_over;
            let changed = sender.send_if_modified(|last| {
                let changed = last.tag != seen.tag;
                *last = seen;
                changed
            });
            if is_over {
                followed.remove(job);
                return;
            }
            pause = if changed { FRESH } else { SELDOM.min(pause * 2) };
        }
    }

    /// From the cache, or from the store and into it. Others who ask for the same job wait for the one answer.
    async fn look(&self, job: &JobId, is_good: fn(&Known) -> bool) -> Result<Option<Arc<Seen>>, Problem> {
        let slot = self.slot(job);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.0.as_ref().filter(|known| is_good(known)) {
            return Ok(known.seen.clone());
        }
        let seen = self.ask(job, Wanted::Record).await?.map(|found| Arc::new(Seen::of(&found)));
        slot.0 = Some(Known::after(slot.0.as_ref(), seen.clone()));
        Ok(seen)
    }

    fn slot(&self, job: &JobId) -> Arc<tokio::sync::Mutex<Slot>> {
        Arc::clone(lock(&self.slots).of(job))
    }

    async fn ask(&self, job: &JobId, wanted: Wanted) -> Result<Option<Found>, Problem> {
        // An event's job names its pipeline; a submitted one can be of any.
        let named = job.as_str().split_once('/').map(|(name, _)| name);
        let pipelines = match named {
            Some(name) => self.desk.pipeline(name).into_iter().collect(),
            None => self.desk.pipelines(),
        };
        let answers = join_all(pipelines.into_iter().map(async |pipeline| {
            let found = pipeline.book.find(job, wanted).await;
            found.map(|found| found.map(|(record, moments)| Found { pipeline, record, moments }))
        }))
        .await;
        let mut failed = None;
        for answer in answers {
            match answer {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        let is_hidden = || self.desk.absent().iter().any(|absent| named.is_none_or(|name| **absent == *name));
        match failed {
            Some(error) => Err(Problem::of_store(&error)),
            None if is_hidden() => {
                let detail = "the job may be of a pipeline that does not run on this host for now";
                Err(Problem::new(Kind::NotRunning, detail).retry_after(5))
            }
            None => Ok(None),
        }
    }
}

/// What the lock protects is whole between two statements: a panic elsewhere has not broken it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
