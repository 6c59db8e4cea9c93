//! Remembers answers for their jobs, so that no attempt makes a call again that was answered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gristmill_core::model::{Canonical, HttpRequest, HttpResponse, JobId};
use gristmill_core::ports::{Caller, Edition, KeepOne, Kept, Key, Store, StoreError};

/// The bytes of answers in memory; beyond it, the oldest give way.
const MOST_BYTES: usize = 16 << 20;
/// What an answer takes besides its body.
const ENTRY_BYTES: usize = 1 << 10;

/// Answers in memory until the store has them, or without a store as long as there is room.
pub(crate) struct Journal {
    store: Option<Arc<dyn Store>>,
    /// Locked because the calls of many jobs share it; never held across an await.
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    answers: HashMap<(JobId, Key), HttpResponse>,
    order: VecDeque<(JobId, Key)>,
    bytes: usize,
}

impl Journal {
    pub(crate) fn new(store: Option<Arc<dyn Store>>) -> Self {
        Self { store, recent: Mutex::default() }
    }

    /// The answer that the job has already.
    pub(crate) async fn recall(&self, job: &JobId, key: Key) -> Result<Option<HttpResponse>, StoreError> {
        let recent = self.recent().answers.get(&(job.clone(), key)).cloned();
        match (&self.store, recent) {
            (None, recent) => Ok(recent),
            // It could not be kept before.
            (Some(_), Some(answer)) => self.keep(job, key, answer).await.map(Some),
            (Some(store), None) => match store.recall(job, key).await? {
                Some(Kept::Http(answer)) => Ok(Some(answer)),
                _ => Ok(None),
            },
        }
    }

    /// Keeps an answer, and returns the one that counts: that of another host, if it was faster. What could not be kept is
    /// remembered, and kept when it is asked for again. A dropped call keeps it all the same.
    pub(crate) async fn keep(&self, job: &JobId, key: Key, answer: HttpResponse) -> Result<HttpResponse, StoreError> {
        self.recent().put((job.clone(), key), answer.clone());
        let Some(store) = &self.store else { return Ok(answer) };
        // In its own task: the call was made, so its answer is kept even when nobody waits for it any more.
        let (store, of, kept) = (Arc::clone(store), job.clone(), Kept::Http(answer.clone()));
        let keeping = tokio::spawn(async move { store.keep(&of, key, &kept).await });
        let earlier = keeping.await.unwrap_or_else(|lost| {
            let reason = format!("an answer could not be stored: {lost}");
            Err(StoreError::Broken { store: "of this pipeline".into(), reason })
        })?;
        self.recent().remove(&(job.clone(), key));
        match earlier {
            Some(Kept::Http(earlier)) => Ok(earlier),
            _ => Ok(answer),
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // Nothing panics midway through a change.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn put(&mut self, at: (JobId, Key), answer: HttpResponse) {
        self.remove(&at);
        self.bytes += size(&answer);
        self.answers.insert(at.clone(), answer);
        self.order.push_back(at);
        while self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(gone) = self.answers.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(size(&gone));
                tracing::warn!(job = %oldest.0, "the answer to a call was dropped to free memory: if this job fails, it is made again");
            }
        }
    }

    fn remove(&mut self, at: &(JobId, Key)) {
        if let Some(gone) = self.answers.remove(at) {
            self.bytes = self.bytes.saturating_sub(size(&gone));
            self.order.retain(|known| known != at);
        }
    }
}

fn size(answer: &HttpResponse) -> usize {
    answer.body.len() + ENTRY_BYTES
}

/// Which call of a job it is. Do not change the encoding: stores look up answers by it.
pub(crate) fn key(caller: &Caller, request: &HttpRequest) -> Key {
    let Caller { job: _, stage, item, repeat, edition: Edition(edition), trace: _ } = caller;
    let mut to = Canonical::digest("gristmill http call 1");
    to.text(stage);
    to.number(u64::from(*edition));
    match &request.idempotency_key {
        Some(name) => {
            to.kind(0);
            to.text(name);
        }
        None => {
            to.kind(1);
            to.text(item);
            to.number(u64::from(*repeat));
            to.bytes(&request.digest());
        }
    }
    Key(to.finish())
}

/// What a service tells repeats by: the same in all attempts of a job, and on all hosts.
pub(crate) fn idempotency_key(job: &JobId, key: Key) -> String {
    let mut to = Canonical::digest("gristmill http idempotency 1");
    to.text(job.as_str());
    to.bytes(&key.0);
    to.finish().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
