//! The layer that remembers paid answers: an unfinished job never pays for the same call twice.
//!
//! With a store, answers outlive the process: each is stored before anyone sees it, and a call asks the memory, then
//! the store, then the model. Without a store, they last as long as this process.

mod vectors;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use gristmill_core::model::{ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, JobId};
use gristmill_core::ports::{Caller, Keep, Kept, Key, Model, ModelError, ModelOperation, SavedBy, Store, StoreError};

use super::memory::{CallKey, Memory, Slot};
use super::saved::Saved;

/// A model whose answers are reused, marked as cached, in later attempts of the same job. Failures are not remembered:
/// the next attempt asks again.
pub struct Journaled<M> {
    model: M,
    /// Locked because the calls of many jobs share the memory; the lock is never held across an await.
    memory: Mutex<Memory>,
    store: Option<Arc<dyn Store>>,
    saved: Saved,
}

impl<M: Model> Journaled<M> {
    /// Wraps a model. Above `bytes` of answers in memory, the oldest jobs are dropped from it as a whole; without a
    /// store they then pay again.
    pub fn new(model: M, bytes: usize, store: Option<Arc<dyn Store>>) -> Self {
        Self { model, memory: Mutex::new(Memory::new(bytes)), store, saved: Saved::default() }
    }

    /// The same, and whoever observes it is told of answers that are reused.
    pub(crate) fn telling(self, saved: Saved) -> Self {
        Self { saved, ..self }
    }

    /// Forgets a job, in memory only: the store decides how long it keeps answers.
    pub(crate) fn forget(&self, job: &JobId) {
        self.memory().forget(job);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing panics midway through a change, so a poisoned memory is still consistent.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_of(&self, gone: &[JobId]) {
        if self.store.is_some() {
            return;
        }
        for job in gone {
            tracing::warn!(%job, "answers were dropped to free memory: if this job fails, it pays for them again");
        }
    }

    /// Returns the answer from the store, or else asks the model and stores its answer.
    ///
    /// A paid answer that could not be stored is not paid for again: the next caller first tries to store it.
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
        // In its own task: the answer is paid for, so it is stored even when nobody waits for it any more.
        let (store, kept) = (Arc::clone(store), Kept::Answer(answer.clone()));
        let new = [Keep { job: caller.job.clone(), key, kept }];
        let earlier = match tokio::spawn(async move { store.keep_all(&new).await }).await {
            Ok(kept) => kept?.into_iter().next().flatten(),
            Err(lost) => {
                let reason = format!("an answer could not be stored: {lost}");
                return Err(StoreError::Broken { store: "of this pipeline".into(), reason }.into());
            }
        };
        slot.note_paid(None);
        match earlier {
            // Another host was faster: both return its answer.
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
impl<M: Model> Model for Journaled<M> {
    /// Concurrent equal calls of one job share one call: the second waits for the first, and asks the model only if the
    /// first fails. Cancel-safe: a dropped call is forgotten, but an answer it paid for is still stored.
    ///
    /// # Errors
    /// Those of the model, and [`ModelError::Store`] when the store fails: then nothing more is asked or returned.
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
        let trace_id = caller.trace.trace_id();
        tracing::debug!(job = %caller.job, %trace_id, stage = %caller.stage, "an answer that was already paid for is reused");
        self.saved.tell(caller, request.model.as_deref(), ModelOperation::Chat, SavedBy::Journal);
        Ok(ChatResponse { cached: true, ..answer })
    }

    /// Vectors that the job has already cost nothing. Cancel-safe like `chat`, but concurrent calls for the same text are two.
    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.vectors(caller, request).await
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
