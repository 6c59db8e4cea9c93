//! What the jobs of a group ask of the state store, together: whatever they ask for while none of them can proceed goes there
//! in one call, and so in one write. What is kept is safe before its job goes on, as if each had asked alone.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

use crate::model::{JobId, Outcome, Size};
use crate::ports::{Keep, Kept, Key, Store, StoreError};

/// How many bytes of outcomes go into one call, at least one outcome: a store holds its own copy of what it writes.
const MOST_BYTES: usize = 1 << 20;

/// The questions that wait. Locked because jobs add to them and the task that runs these takes them; never both at once.
pub(super) struct Checkpoints<'a> {
    store: &'a dyn Store,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<JobId>,
    finds: Vec<oneshot::Sender<Result<Vec<Key>, StoreError>>>,
    new: Vec<Keep>,
    keeps: Vec<oneshot::Sender<Answer>>,
}

/// What was to be kept, and what is kept in its place, if anything.
type Answer = (Keep, Result<Option<Kept>, StoreError>);

impl<'a> Checkpoints<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self { store, waiting: Mutex::default() }
    }

    /// As [`Store::recall`], at once.
    pub(super) async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        self.store.recall(job, key).await
    }

    /// The keys under which something is kept of the job. Cancel-safe.
    pub(super) async fn keys(&self, job: JobId) -> Result<Vec<Key>, StoreError> {
        let (find, found) = oneshot::channel();
        {
            let mut waiting = self.lock();
            waiting.jobs.push(job);
            waiting.finds.push(find);
        }
        answered(found).await
    }

    /// As [`Store::keep_all`], of one value, which it gives back.
    pub(super) async fn keep(&self, new: Keep) -> Answer {
        let (keep, kept) = oneshot::channel();
        {
            let mut waiting = self.lock();
            waiting.new.push(new);
            waiting.keeps.push(keep);
        }
        answered(kept).await
    }

    /// What makes the calls.
    pub(super) fn calls(&'a self) -> StoreCalls<'a> {
        StoreCalls { checkpoints: self, running: FuturesUnordered::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What answers is dropped only together with who asks.
async fn answered<T>(answer: oneshot::Receiver<T>) -> T {
    match answer.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}

/// The calls that run.
pub(super) struct StoreCalls<'a> {
    checkpoints: &'a Checkpoints<'a>,
    running: FuturesUnordered<BoxFuture<'a, ()>>,
}

impl StoreCalls<'_> {
    /// Makes the calls that wait, and returns when one has been answered; waits forever if there is none. To be polled after
    /// everything else in the group, by the same task: then whatever can wait together does. Cancel-safe.
    pub(super) async fn next(&mut self) {
        let store = self.checkpoints.store;
        poll_fn(|context| {
            // At every poll: jobs that were polled before may have come here just now.
            let Waiting { jobs, finds, new, keeps } = std::mem::take(&mut *self.checkpoints.lock());
            if !jobs.is_empty() {
                self.running.push(Box::pin(find(store, jobs, finds)));
            }
            for (new, keeps) in portions(new, keeps) {
                self.running.push(Box::pin(keep(store, new, keeps)));
            }
            match self.running.poll_next_unpin(context) {
                Poll::Ready(Some(())) => Poll::Ready(()),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await;
    }
}

/// In as few calls as there may be.
fn portions(new: Vec<Keep>, keeps: Vec<oneshot::Sender<Answer>>) -> Vec<(Vec<Keep>, Vec<oneshot::Sender<Answer>>)> {
    let mut portions: Vec<(Vec<Keep>, Vec<_>)> = Vec::new();
    let mut left = 0;
    for (new, keep) in new.into_iter().zip(keeps) {
        let bytes = match &new.kept {
            Kept::Outcome(Outcome::Emit(outputs)) => outputs.size(),
            _ => 0,
        };
        match portions.last_mut() {
            Some((news, keeps)) if bytes <= left => {
                news.push(new);
                keeps.push(keep);
                left -= bytes;
            }
            _ => {
                portions.push((vec![new], vec![keep]));
                left = MOST_BYTES.saturating_sub(bytes);
            }
        }
    }
    portions
}

async fn find(store: &dyn Store, jobs: Vec<JobId>, finds: Vec<oneshot::Sender<Result<Vec<Key>, StoreError>>>) {
    let mut found = match store.keys(&jobs).await {
        Ok(found) => Ok(found.into_iter()),
        Err(error) => Err(error),
    };
    for find in finds {
        // A job that has failed meanwhile waits for nothing.
        let _ = find.send(match &mut found {
            Ok(found) => Ok(found.next().unwrap_or_default()),
            Err(error) => Err(error.clone()),
        });
    }
}

async fn keep(store: &dyn Store, new: Vec<Keep>, keeps: Vec<oneshot::Sender<Answer>>) {
    let mut kept = match store.keep_all(&new).await {
        Ok(kept) => Ok(kept.into_iter()),
        Err(error) => Err(error),
    };
    for (new, keep) in new.into_iter().zip(keeps) {
        let kept = match &mut kept {
            Ok(kept) => Ok(kept.next().flatten()),
            Err(error) => Err(error.clone()),
        };
        let _ = keep.send((new, kept));
    }
}
