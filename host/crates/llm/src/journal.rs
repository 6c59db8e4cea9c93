//! The layer that remembers what was paid: an unfinished job never pays for the same call twice.
//!
//! With a store the memory outlasts the process: an answer is in the store before anybody sees it, and a call asks the
//! memory, then the store, then the model. Without one it lasts as long as this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use gristmill_core::model::{ChatRequest, ChatResponse, JobId};
use gristmill_core::ports::{Caller, Kept, Key, Model, ModelError, Store};

use super::provider::Provider;

use super::fingerprint::fingerprint;
use super::memory::{CallKey, Memory};

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
            tracing::warn!(%job, "answers are forgotten for want of memory: if this job fails, it pays again");
        }
    }

    /// The answer from the store, or else the model's, which is then in the store.
    async fn ask(&self, caller: &Caller, request: &ChatRequest, key: Key) -> Result<Answer, ModelError> {
        let Some(store) = &self.store else {
            return Ok(Answer::Paid(self.model.chat(caller, request).await?));
        };
        if let Some(Kept::Answer(answer)) = store.recall(&caller.job, key).await? {
            return Ok(Answer::Kept(answer));
        }
        let answer = self.model.chat(caller, request).await?;
        // A task of its own: it is paid, so it is kept even when nobody waits for it any more.
        let (store, job, kept) = (Arc::clone(store), caller.job.clone(), Kept::Answer(answer.clone()));
        let keeping = tokio::spawn(async move { store.keep(&job, key, &kept).await });
        match keeping.await {
            Ok(kept) => match kept? {
                Some(Kept::Answer(earlier)) => Ok(Answer::Kept(earlier)),
                _ => Ok(Answer::Paid(answer)),
            },
            Err(error) => std::panic::resume_unwind(error.into_panic()),
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
            .get_or_try_init(|| async {
                let answer = self.ask(caller, request, stored).await?;
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
            CallKey::Nth { stage, item, request: fingerprint(request), repeat, edition }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::super::fixtures::{caller, job, request, response};
    use super::*;
    use gristmill_core::ports::{Edition, JobState};

    /// Counts its calls and answers with their number; fails while told so.
    #[derive(Default)]
    struct Counting {
        calls: AtomicU32,
        failures: AtomicU32,
    }

    #[async_trait]
    impl Model for Arc<Counting> {
        async fn chat(&self, _caller: &Caller, _request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if number < self.failures.load(Ordering::Relaxed) {
                return Err(ChatFailure::Timeout("slow".into()));
            }
            Ok(response(&format!("answer {number}")))
        }
    }

    fn journaled(failures: u32) -> (Arc<Counting>, Journaled<Arc<Counting>>) {
        let model = Arc::new(Counting { failures: failures.into(), ..Counting::default() });
        (Arc::clone(&model), Journaled::new(model, 1 << 20, None))
    }

    #[tokio::test]
    async fn a_later_attempt_gets_the_same_answer_unpaid() {
        let (model, journal) = journaled(0);
        let who = caller(1, "enrich", "p/1", 0);
        let first = journal.chat(&who, &request("hello")).await.unwrap();
        let later = ChatRequest { timeout: Some(Duration::from_secs(3)), ..request("hello") };
        let second = journal.chat(&who, &later).await.unwrap();
        assert!(!first.cached && second.cached);
        assert_eq!(first.text, second.text);
        assert_eq!(model.calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn different_calls_are_different_answers() {
        let (model, journal) = journaled(0);
        for (position, stage, item, repeat, text) in [
            (1, "enrich", "a", 0, "hello"),
            (1, "enrich", "a", 1, "hello"),
            (1, "enrich", "b", 0, "hello"),
            (1, "rate", "a", 0, "hello"),
            (2, "enrich", "a", 0, "hello"),
            (1, "enrich", "a", 0, "good day"),
        ] {
            let answer = journal.chat(&caller(position, stage, item, repeat), &request(text)).await.unwrap();
            assert!(!answer.cached, "{position} {stage} {item} {repeat} {text}");
        }
        assert_eq!(model.calls.load(Ordering::Relaxed), 6);
    }

    #[tokio::test]
    async fn a_named_call_is_one_call_of_its_stage_and_job() {
        let (model, journal) = journaled(0);
        let named = |text: &str| ChatRequest { idempotency_key: Some("once".into()), ..request(text) };
        let (one, other) = (caller(1, "s", "a", 0), caller(1, "s", "b", 3));
        let (first, second) = (named("hello"), named("good day"));
        let (first, second) = tokio::join!(journal.chat(&one, &first), journal.chat(&other, &second));
        assert_eq!(first.unwrap().text, second.unwrap().text, "also when both ask at once");
        assert_eq!(model.calls.load(Ordering::Relaxed), 1);
        journal.chat(&caller(1, "t", "a", 0), &named("hello")).await.unwrap();
        assert_eq!(model.calls.load(Ordering::Relaxed), 2, "another stage means another call");
    }

    #[tokio::test]
    async fn failures_are_not_remembered() {
        let (model, journal) = journaled(1);
        let who = caller(1, "s", "a", 0);
        journal.chat(&who, &request("hello")).await.unwrap_err();
        assert!(!journal.chat(&who, &request("hello")).await.unwrap().cached);
        assert_eq!(model.calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_forgotten_job_pays_again() {
        let (model, journal) = journaled(0);
        for _ in 0..2 {
            journal.chat(&caller(1, "s", "a", 0), &request("hello")).await.unwrap();
            journal.forget(&job(1));
        }
        assert_eq!(model.calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_dropped_call_leaves_the_slot_free() {
        let (model, journal) = journaled(0);
        let who = caller(1, "s", "a", 0);
        let hello = request("hello");
        {
            let mut call = journal.chat(&who, &hello);
            tokio::select! {
                biased;
                _ = &mut call => panic!("answered at once"),
                () = std::future::ready(()) => {}
            }
        }
        assert!(!journal.chat(&who, &hello).await.unwrap().cached);
        assert_eq!(model.calls.load(Ordering::Relaxed), 2);
    }

    /// Keeps in memory, when it is let; fails where it is told.
    struct Shelf {
        kept: Mutex<HashMap<(JobId, Key), Kept>>,
        let_keep: Semaphore,
        asked_to_keep: Semaphore,
        recalls: bool,
        keeps: bool,
    }

    impl Shelf {
        fn new() -> Self {
            let (let_keep, asked_to_keep) = (Semaphore::new(1_000), Semaphore::new(0));
            Self { kept: Mutex::default(), let_keep, asked_to_keep, recalls: true, keeps: true }
        }

        fn broken() -> StoreError {
            StoreError { store: "shelf".into(), reason: "it fell".into() }
        }
    }

    #[async_trait]
    impl Store for Shelf {
        async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
            let kept = self.kept.lock().unwrap().get(&(job.clone(), key)).cloned();
            if self.recalls { Ok(kept) } else { Err(Self::broken()) }
        }

        async fn keep(&self, job: &JobId, key: Key, kept: Kept) -> Result<(), StoreError> {
            self.asked_to_keep.add_permits(1);
            self.let_keep.acquire().await.unwrap().forget();
            self.kept.lock().unwrap().insert((job.clone(), key), kept);
            if self.keeps { Ok(()) } else { Err(Self::broken()) }
        }

        fn ended(&self, _: &JobId, _: JobState) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn shelved(model: &Arc<Counting>, shelf: &Arc<Shelf>) -> Journaled<Arc<Counting>> {
        let store: Arc<dyn Store> = Arc::<Shelf>::clone(shelf);
        Journaled::new(Arc::clone(model), 1 << 20, Some(store))
    }

    #[tokio::test]
    async fn another_journal_over_the_same_store_pays_nothing_again() {
        let (model, shelf) = (Arc::new(Counting::default()), Arc::new(Shelf::new()));
        let who = caller(1, "s", "a", 0);
        let hello = ChatRequest { cache: gristmill_core::model::CacheUse::Off, ..request("hello") };
        let first = shelved(&model, &shelf).chat(&who, &hello).await.unwrap();
        let second = shelved(&model, &shelf).chat(&who, &hello).await.unwrap();
        assert_eq!((first.cached, second.cached, &first.text), (false, true, &second.text));
        let forgetful = shelved(&model, &shelf);
        forgetful.forget(&job(1));
        assert!(forgetful.chat(&who, &hello).await.unwrap().cached, "the memory forgets, not the store");
        assert_eq!(model.calls.load(Ordering::Relaxed), 1);
        let anew = Caller { edition: Edition(1), ..who };
        assert!(!shelved(&model, &shelf).chat(&anew, &hello).await.unwrap().cached, "begun anew, it is another call");
    }

    #[tokio::test]
    async fn a_store_that_fails_is_a_failure_of_its_own_and_nothing_is_given_out() {
        let failure = || Err(ChatFailure::Store("the state store shelf does not work: it fell".into()));
        let (model, who) = (Arc::new(Counting::default()), caller(1, "s", "a", 0));
        let deaf = shelved(&model, &Arc::new(Shelf { recalls: false, ..Shelf::new() }));
        assert_eq!(deaf.chat(&who, &request("hello")).await, failure());
        assert_eq!(model.calls.load(Ordering::Relaxed), 0, "without the store nothing is paid");
        let dumb = shelved(&model, &Arc::new(Shelf { keeps: false, ..Shelf::new() }));
        assert_eq!(dumb.chat(&who, &request("hello")).await, failure());
    }

    #[tokio::test]
    async fn an_answer_is_given_out_only_when_it_is_kept_and_kept_even_if_nobody_waits() {
        let (model, mut shelf) = (Arc::new(Counting::default()), Shelf::new());
        shelf.let_keep = Semaphore::new(0);
        let shelf = Arc::new(shelf);
        let journal = shelved(&model, &shelf);
        let call = tokio::spawn(async move { journal.chat(&caller(1, "s", "a", 0), &request("hello")).await });
        shelf.asked_to_keep.acquire().await.unwrap().forget();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!call.is_finished(), "given out before it is kept");
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        shelf.let_keep.add_permits(2);
        let later = shelved(&model, &shelf);
        while shelf.kept.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(later.chat(&caller(1, "s", "a", 0), &request("hello")).await.unwrap().cached);
    }
}
