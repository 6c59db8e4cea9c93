//! An answer is paid for once, across attempts, hosts and failing stores.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::*;
use crate::fixtures::{caller, job, request, response};
use gristmill_core::model::ChatFailure;
use gristmill_core::ports::{Edition, JobState};

/// Counts its calls and answers with their number; fails while told to.
#[derive(Default)]
struct Counting {
    calls: AtomicU32,
    failures: AtomicU32,
}

/// The model of one journal; several journals share the counter.
struct Shared(Arc<Counting>);

#[async_trait]
impl Model for Shared {
    async fn chat(&self, _caller: &Caller, _request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let number = self.0.calls.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        if number < self.0.failures.load(Ordering::Relaxed) {
            return Err(ChatFailure::Timeout("slow".into()).into());
        }
        Ok(response(&format!("answer {number}")))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

fn journaled(failures: u32) -> (Arc<Counting>, Journaled<Shared>) {
    let model = Arc::new(Counting { failures: failures.into(), ..Counting::default() });
    (Arc::clone(&model), Journaled::new(Shared(model), 1 << 20, None))
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

/// A store in memory that waits for `let_keep` and fails on request.
struct Shelf {
    kept: Mutex<HashMap<(JobId, Key), Kept>>,
    let_keep: Semaphore,
    asked_to_keep: Semaphore,
    recalls: bool,
    keeps: bool,
    /// How many calls to `keep` fail before one succeeds.
    away: AtomicU32,
}

impl Shelf {
    fn new() -> Self {
        let (let_keep, asked_to_keep) = (Semaphore::new(1_000), Semaphore::new(0));
        Self { kept: Mutex::default(), let_keep, asked_to_keep, recalls: true, keeps: true, away: 0.into() }
    }

    fn broken() -> StoreError {
        StoreError::Broken { store: "shelf".into(), reason: "it fell".into() }
    }
}

#[async_trait]
impl Store for Shelf {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        let kept = self.kept.lock().unwrap().get(&(job.clone(), key)).cloned();
        if self.recalls { Ok(kept) } else { Err(Self::broken()) }
    }

    async fn keys(&self, _: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        panic!("only the flow asks for keys")
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.asked_to_keep.add_permits(1);
        self.let_keep.acquire().await.unwrap().forget();
        if self.away.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(StoreError::Transient { store: "shelf".into(), reason: "out of reach".into() });
        }
        if !self.keeps {
            return Err(Self::broken());
        }
        let mut all = self.kept.lock().unwrap();
        let keep = |Keep { job, key, kept }: &Keep| match all.entry((job.clone(), *key)) {
            Entry::Occupied(earlier) => Some(earlier.get().clone()),
            Entry::Vacant(room) => {
                room.insert(kept.clone());
                None
            }
        };
        Ok(new.iter().map(keep).collect())
    }

    fn ended(&self, _: &JobId, _: JobState) -> Result<(), StoreError> {
        Ok(())
    }
}

fn shelved(model: &Arc<Counting>, shelf: &Arc<Shelf>) -> Journaled<Shared> {
    let store: Arc<dyn Store> = Arc::<Shelf>::clone(shelf);
    Journaled::new(Shared(Arc::clone(model)), 1 << 20, Some(store))
}

#[tokio::test]
async fn another_journal_over_the_same_store_pays_nothing_again() {
    let (model, shelf) = (Arc::new(Counting::default()), Arc::new(Shelf::new()));
    let who = caller(1, "s", "a", 0);
    let hello = request("hello");
    let first = shelved(&model, &shelf).chat(&who, &hello).await.unwrap();
    let second = shelved(&model, &shelf).chat(&who, &hello).await.unwrap();
    assert_eq!((first.cached, second.cached, &first.text), (false, true, &second.text));
    let forgetful = shelved(&model, &shelf);
    forgetful.forget(&job(1));
    assert!(forgetful.chat(&who, &hello).await.unwrap().cached, "the memory forgets, not the store");
    assert_eq!(model.calls.load(Ordering::Relaxed), 1);
    let anew = Caller { edition: Edition(1), ..who };
    assert!(!shelved(&model, &shelf).chat(&anew, &hello).await.unwrap().cached, "restarted, it is another call");
}

#[tokio::test]
async fn a_store_that_fails_is_a_failure_of_its_own_and_nothing_is_given_out() {
    let failure = || Err(ModelError::Store(Shelf::broken()));
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
    assert!(!call.is_finished(), "returned before it is stored");
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    shelf.let_keep.add_permits(2);
    let later = shelved(&model, &shelf);
    while shelf.kept.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(later.chat(&caller(1, "s", "a", 0), &request("hello")).await.unwrap().cached);
}

#[tokio::test]
async fn two_hosts_that_ask_the_same_agree_on_one_answer() {
    let (model, mut shelf) = (Arc::new(Counting::default()), Shelf::new());
    shelf.let_keep = Semaphore::new(0);
    let shelf = Arc::new(shelf);
    let ask = || {
        let journal = shelved(&model, &shelf);
        tokio::spawn(async move { journal.chat(&caller(1, "s", "a", 0), &request("hello")).await.unwrap() })
    };
    let (one, two) = (ask(), ask());
    // Both have asked the model, and neither has stored its answer yet.
    shelf.asked_to_keep.acquire_many(2).await.unwrap().forget();
    shelf.let_keep.add_permits(2);
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!(model.calls.load(Ordering::Relaxed), 2);
    assert_eq!(one.text, two.text, "the first stored answer counts");
    assert_ne!(one.cached, two.cached);
}

#[tokio::test]
async fn what_was_paid_while_the_store_was_away_is_not_paid_again() {
    let (model, who) = (Arc::new(Counting::default()), caller(1, "s", "a", 0));
    let shelf = Arc::new(Shelf { away: 2.into(), ..Shelf::new() });
    let journal = shelved(&model, &shelf);
    for _ in 0..2 {
        let failure = journal.chat(&who, &request("hello")).await.unwrap_err();
        assert!(matches!(failure, ModelError::Store(StoreError::Transient { .. })), "{failure:?}");
    }
    let answer = journal.chat(&who, &request("hello")).await.unwrap();
    assert_eq!((answer.text.as_str(), model.calls.load(Ordering::Relaxed)), ("answer 0", 1));
    assert_eq!(shelf.kept.lock().unwrap().len(), 1);
}
