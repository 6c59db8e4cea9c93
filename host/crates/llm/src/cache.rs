//! The layer that gives a good answer again to equal requests of other jobs, for aliases that allow it.
//!
//! It is below the journal: what a job got once it gets again, whatever becomes of the cache. And it is above everything that
//! costs: an answer from here is neither paid nor counted against a limit.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use gristmill_core::model::{
    Canonical, ChatFailure, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, FinishReason, Usage,
};
use gristmill_core::ports::{Answers, Caller, Edition, Key, Model, ModelError, ModelOperation, SavedBy};
use tokio::time::{Instant, timeout};

use crate::forms::Forms;
use crate::names;
use crate::saved::Saved;

/// What an alias allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reuse {
    /// How long an answer is given again.
    pub(crate) ttl: Duration,
    /// Who answers.
    pub(crate) targets: [u8; 32],
}

/// A model whose good answers are given again, marked as cached.
pub(crate) struct Cached<M> {
    inner: Arc<Inner<M>>,
    /// By alias; `None` for those whose answers are not reused.
    by_alias: BTreeMap<String, Option<Reuse>>,
    /// The calls under way. Locked because the calls of many jobs share them; never held across an await.
    flights: Mutex<HashMap<Key, WeakShared<Flight>>>,
    saved: Saved,
}

struct Inner<M> {
    model: M,
    answers: Arc<dyn Answers>,
    forms: Arc<Forms>,
}

/// One call for all who ask the same. Whoever waits drives it; when nobody does any more, it is abandoned.
type Flight = BoxFuture<'static, Result<Got, ModelError>>;

/// An answer, and where it is from.
#[derive(Debug, Clone)]
enum Got {
    Paid(ChatResponse),
    Kept(ChatResponse),
}

impl<M: Model + 'static> Cached<M> {
    pub(crate) fn new(
        model: M,
        by_alias: BTreeMap<String, Option<Reuse>>,
        answers: Arc<dyn Answers>,
        forms: Arc<Forms>,
    ) -> Self {
        let inner = Arc::new(Inner { model, answers, forms });
        Self { inner, by_alias, flights: Mutex::default(), saved: Saved::default() }
    }

    /// The same, and whoever observes it is told of answers that are given again.
    pub(crate) fn telling(self, saved: Saved) -> Self {
        Self { saved, ..self }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, WeakShared<Flight>>> {
        // Nothing panics midway through a change.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the call under way for this key, or begins one. Returns whether it is our own.
    fn board(&self, key: Key, ttl: Duration, caller: &Caller, request: &ChatRequest) -> (Shared<Flight>, bool) {
        let mut flights = self.flights();
        // One that has landed is only held by those who have not looked yet: its answer is as good, but its failure is over.
        let under_way = flights.get(&key).and_then(WeakShared::upgrade).filter(|flight| flight.peek().is_none());
        if let Some(flight) = under_way {
            return (flight, false);
        }
        let (inner, caller, request) = (Arc::clone(&self.inner), caller.clone(), request.clone());
        let flight = async move { inner.find_or_ask(key, ttl, &caller, &request).await }.boxed().shared();
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        flights.extend(flight.downgrade().map(|flight| (key, flight)));
        (flight, true)
    }
}

impl<M: Model> Inner<M> {
    async fn find_or_ask(
        &self,
        key: Key,
        ttl: Duration,
        caller: &Caller,
        request: &ChatRequest,
    ) -> Result<Got, ModelError> {
        if let Some(answer) = self.answers.find_answer(key).await? {
            return Ok(Got::Kept(answer));
        }
        self.ask(key, ttl, caller, request).await.map(Got::Paid)
    }

    async fn ask(
        &self,
        key: Key,
        ttl: Duration,
        caller: &Caller,
        request: &ChatRequest,
    ) -> Result<ChatResponse, ModelError> {
        let answer = self.model.chat(caller, request).await?;
        // It is paid for and on its way to the journal: that it cannot be kept here as well is no failure of the call.
        if self.is_good(request, &answer)
            && let Err(error) = self.answers.keep_answer(key, &answer, ttl).await
        {
            let trace_id = caller.trace.trace_id();
            tracing::debug!(job = %caller.job, %trace_id, %error, "an answer could not be kept for other jobs");
        }
        Ok(answer)
    }

    /// Whether another job would take the answer: it is whole, and has the form that was asked for. Otherwise each job
    /// would meet the bad answer first and pay for a better one.
    fn is_good(&self, request: &ChatRequest, answer: &ChatResponse) -> bool {
        let form = self.forms.of(&request.format);
        answer.finish_reason == FinishReason::Stop && form.is_ok_and(|form| form.check(answer.clone()).is_ok())
    }
}

#[async_trait]
impl<M: Model + 'static> Model for Cached<M> {
    /// Concurrent equal requests share one call and its failure; one whose time is not over asks again after a time-out of
    /// another. A job that was restarted from a stage on gets a new answer, which replaces the kept one. Cancel-safe: a
    /// dropped call does not end that of others.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let (alias, reuse) = names::find(&self.by_alias, request.model.as_deref())?;
        let Some(Reuse { ttl, targets }) = *reuse else { return self.inner.model.chat(caller, request).await };
        let key = key(alias, targets, caller.repeat, request);
        if caller.edition != Edition::default() {
            return self.inner.ask(key, ttl, caller, request).await;
        }
        let deadline = request.timeout.map(|time| Instant::now() + time);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let asked = ChatRequest { timeout: left, ..request.clone() };
            let (flight, is_own) = self.board(key, ttl, caller, &asked);
            let got = match left {
                // Our own is bounded by the request.
                Some(left) if !is_own => timeout(left, flight).await.unwrap_or_else(|_| Err(too_late(left))),
                _ => flight.await,
            };
            match got {
                Ok(Got::Paid(answer)) if is_own => return Ok(answer),
                Ok(Got::Paid(answer) | Got::Kept(answer)) => {
                    let (job, trace_id, stage) = (&caller.job, caller.trace.trace_id(), &caller.stage);
                    tracing::debug!(%job, %trace_id, %stage, alias, "an answer of another job is reused");
                    self.saved.tell(caller, Some(alias), ModelOperation::Chat, SavedBy::Cache);
                    return Ok(free(answer));
                }
                Err(ModelError::Chat { failure: ChatFailure::Timeout(_), .. })
                    if !is_own && deadline.is_none_or(|deadline| deadline > Instant::now()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.inner.model.embed(caller, request).await
    }
}

fn too_late(left: Duration) -> ModelError {
    ChatFailure::Timeout(format!("no answer within {left:?} to an equal request that was under way already")).into()
}

/// The answer as it is for those who have not paid for it: its tokens say what it is, and it cost nothing.
fn free(answer: ChatResponse) -> ChatResponse {
    let usage = Usage { cost_nano_usd: Some(0), ..answer.usage };
    ChatResponse { cached: true, usage, ..answer }
}

/// The key of the answer to the `repeat`-th such request of a call, whatever the job. Equal requests of one call of a stage
/// want several answers, so they have several.
///
/// Do not change the encoding: stores find answers by it.
fn key(alias: &str, targets: [u8; 32], repeat: u32, request: &ChatRequest) -> Key {
    let mut to = Canonical::digest("gristmill answer 1");
    to.text(alias);
    to.bytes(&targets);
    to.number(repeat.into());
    to.bytes(&request.digest());
    Key(to.finish())
}

#[cfg(test)]
mod tests;
