//! The layer that remembers what was paid: an unfinished job never pays for the same call twice.
//!
//! With a store the memory outlasts the process: an answer is in the store before anybody sees it, and a call asks the
//! memory, then the store, then the model. Without one it lasts as long as this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use gristmill_core::model::{ChatRequest, ChatResponse, JobId};
use gristmill_core::ports::{Caller, Kept, Key, Model, ModelError, Store, StoreError};

use super::provider::Provider;

use super::memory::{CallKey, Memory, Slot};

/// A model whose answers are given again, marked as cached, to later attempts of the same job. Failures are not
/// remembered: the next attempt asks anew.
///
/// The request's wish for or against stored answers ([`ChatRequest::cache`]) is about caches, which save money between
/// jobs. This saves what one job has paid already, and is always on.
pub struct Journaled<M> {
    model: M,
    /// A lock, because calls of many jobs share the memory; it is never held while one waits.
    memory: Mutex<Memory>,
    store: Option<Arc<dyn Store>>,
}

impl<M: Provider> Journaled<M> {
    /// Puts the layer around a model. Above `bytes` of answers in memory the oldest jobs are forgotten there, whole;
    /// without a store they then pay again.
    pub fn new(model: M, bytes: usize, store: Option<Arc<dyn Store>>) -> Self {
        Self { model, memory: Mutex::new(Memory::new(bytes)), store }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing in there can panic half way: a poisoned memory is whole.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_of(&self, gone: &[JobId]) {
        if self.store.is_some() {
            return;
        }
        for job in gone {
            tracing::warn!(%job, "answers are forgotten for lack of memory: if this job fails, it pays again");
        }
    }

    /// The answer from the store, or else the model's, which is then in the store.
    ///
    /// What was paid and could not be kept is not paid again: the next one who asks tries to keep it first.
    async fn ask(&self, caller: &Caller, request: &ChatRequest, key: Key, slot: &Slot) -> Result<Answer, ModelError> {
        let Some(store) = &self.store else {
            return Ok(Answer::Paid(self.model.chat(caller, request).await?));
        };
        let answer = match slot.paid() {
            Some(paid) => paid,
            None => {
                if let Some(Kept::Answer(answer)) = store.recall(&caller.job, key).await? {
                    return Ok(Answer::Kept(answer));
                }
                self.model.chat(caller, request).await?
            }
        };
        slot.note_paid(Some(answer.clone()));
        // A task of its own: it is paid, so it is kept even when nobody waits for it any more.
        let (store, job, kept) = (Arc::clone(store), caller.job.clone(), Kept::Answer(answer.clone()));
        let keeping = tokio::spawn(async move { store.keep(&job, key, &kept).await });
        let earlier = match keeping.await {
            Ok(kept) => kept?,
            Err(lost) => {
                let reason = format!("an answer could not be kept: {lost}");
                return Err(StoreError::Broken { store: "of this pipeline".into(), reason }.into());
            }
        };
        slot.note_paid(None);
        match earlier {
            // Another host was faster: both hand out the same.
            Some(Kept::Answer(earlier)) => Ok(Answer::Kept(earlier)),
            _ => Ok(Answer::Paid(answer)),
        }
    }
}

/// Where an answer came from.
enum Answer {
    Paid(ChatResponse),
    Kept(ChatResponse),
}

#[async_trait]
impl<M: Provider> Model for Journaled<M> {
    /// Equal calls of one job at the same time are one: the second waits for the first, and only asks itself if the
    /// first fails. Cancel-safe: a dropped call is forgotten, but what it had paid is kept by the store.
    ///
    /// # Errors
    /// Those of the model, and [`ModelError::Store`] when the store fails: then nothing more is asked or given out.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let key = key(caller, request);
        let stored = key.stored();
        let (slot, gone) = self.memory().slot(&caller.job, key);
        self.warn_of(&gone);
        let (mut filled, mut paid) = (false, false);
        let answer = slot
            .told
            .get_or_try_init(|| async {
                let answer = self.ask(caller, request, stored, &slot).await?;
                filled = true;
                paid = matches!(answer, Answer::Paid(_));
                let (Answer::Paid(answer) | Answer::Kept(answer)) = answer;
                Ok::<_, ModelError>(answer)
            })
            .await?
            .clone();
        if filled {
            let gone = self.memory().filled(&caller.job, &answer);
            self.warn_of(&gone);
        }
        if paid {
            return Ok(answer);
        }
        tracing::debug!(job = %caller.job, stage = %caller.stage, "an answer that was paid is given again");
        Ok(ChatResponse { cached: true, ..answer })
    }

    /// In the memory only: how long the store keeps it is the store's.
    fn forget(&self, job: &JobId) {
        self.memory().forget(job);
    }
}

fn key(caller: &Caller, request: &ChatRequest) -> CallKey {
    let (stage, edition) = (Arc::clone(&caller.stage), caller.edition);
    match &request.idempotency_key {
        Some(name) => CallKey::Named { stage, name: name.clone(), edition },
        None => {
            let (item, repeat) = (Arc::clone(&caller.item), caller.repeat);
            CallKey::Nth { stage, item, request: request.digest(), repeat, edition }
        }
    }
}

#[cfg(test)]
mod tests;
