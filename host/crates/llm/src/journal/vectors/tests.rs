//! A vector is paid for once in a job, whatever it is asked for with.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use gristmill_core::model::{ChatRequest, ChatResponse, JobId, Vector};
use gristmill_core::ports::{Edition, JobState, Store};

use super::*;
use crate::fixtures::{caller, job};

/// Makes vectors and notes the texts that it was asked for.
#[derive(Default)]
struct Paid {
    asked: Mutex<Vec<String>>,
}

impl Paid {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Model for &'static Paid {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        panic!("nobody chats here")
    }

    async fn embed(&self, _: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        let mut asked = self.asked.lock().unwrap();
        asked.extend(request.inputs.iter().map(|input| input.to_string()));
        #[allow(clippy::cast_precision_loss, reason = "texts of tests are short")]
        let vector = |input: &Arc<str>| Vector::new(&[input.len() as f32, asked.len() as f32]).unwrap();
        let usage = Usage { input_tokens: Some(10), cost_nano_usd: Some(7), ..Usage::default() };
        let vectors = request.inputs.iter().map(vector).collect();
        Ok(EmbedResponse { vectors, usage, model: "test/m".into(), cached: false })
    }
}

fn paid() -> &'static Paid {
    Box::leak(Box::default())
}

/// A store in memory that is away while it is told to be.
#[derive(Default)]
struct Shelf {
    kept: Mutex<HashMap<(JobId, Key), Kept>>,
    away: AtomicBool,
}

#[async_trait]
impl Store for Shelf {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        Ok(self.kept.lock().unwrap().get(&(job.clone(), key)).cloned())
    }

    async fn keys(&self, _: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        panic!("only the flow asks for keys")
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Transient { store: "shelf".into(), reason: "out of reach".into() });
        }
        let mut all = self.kept.lock().unwrap();
        let keep = |Keep { job, key, kept }: &Keep| {
            let earlier = all.get(&(job.clone(), *key)).cloned();
            all.entry((job.clone(), *key)).or_insert_with(|| kept.clone());
            earlier
        };
        Ok(new.iter().map(keep).collect())
    }

    fn ended(&self, _: &JobId, _: JobState) -> Result<(), StoreError> {
        Ok(())
    }
}

fn journal(model: &'static Paid, shelf: Option<&Arc<Shelf>>) -> Journaled<&'static Paid> {
    let store = shelf.map(|shelf| Arc::<Shelf>::clone(shelf) as Arc<dyn Store>);
    Journaled::new(model, 1 << 20, store)
}

fn texts(texts: &[&str]) -> EmbedRequest {
    EmbedRequest::new(texts.iter().map(|&text| text.into()).collect())
}

#[tokio::test]
async fn only_what_the_job_does_not_have_is_asked_for() {
    for shelf in [None, Some(Arc::<Shelf>::default())] {
        let model = paid();
        let journal = journal(model, shelf.as_ref());
        let who = caller(1, "embed", "a", 0);
        let first = journal.embed(&who, &texts(&["one", "three"])).await.unwrap();
        assert_eq!((model.take(), first.cached), (vec!["one".to_owned(), "three".into()], false));
        let other_item = caller(1, "embed", "b", 5);
        let second = journal.embed(&other_item, &texts(&["three", "four", "one"])).await.unwrap();
        assert_eq!((model.take(), second.cached), (vec!["four".to_owned()], false));
        assert_eq!((&second.vectors[0], &second.vectors[2]), (&first.vectors[1], &first.vectors[0]));
        let third = journal.embed(&who, &texts(&["four"])).await.unwrap();
        assert_eq!((model.take(), third.cached), (vec![], true));
        for other in
            [caller(2, "embed", "a", 0), caller(1, "other", "a", 0), Caller { edition: Edition(1), ..who.clone() }]
        {
            assert!(!journal.embed(&other, &texts(&["one"])).await.unwrap().cached, "{other:?}");
        }
        let short = EmbedRequest { dimensions: Some(1), ..texts(&["one"]) };
        assert!(!journal.embed(&who, &short).await.unwrap().cached);
    }
}

#[tokio::test]
async fn a_text_that_comes_twice_is_asked_for_once() {
    let model = paid();
    let answer = journal(model, None).embed(&caller(1, "s", "a", 0), &texts(&["one", "two", "one"])).await.unwrap();
    assert_eq!(model.take(), ["one", "two"]);
    assert_eq!((answer.vectors.len(), &answer.vectors[0]), (3, &answer.vectors[2]));
    assert_eq!((answer.usage.input_tokens, answer.usage.cost_nano_usd), (Some(10), Some(7)));
}

#[tokio::test]
async fn a_vector_outlives_its_process_and_its_neighbours() {
    let (model, shelf) = (paid(), Arc::<Shelf>::default());
    let who = caller(1, "s", "a", 0);
    let all = journal(model, Some(&shelf)).embed(&who, &texts(&["one", "three", "seven"])).await.unwrap();
    model.take();
    let after = journal(model, Some(&shelf));
    let mut tokens = 0;
    for (index, text) in ["one", "three", "seven"].into_iter().enumerate() {
        let alone = after.embed(&who, &texts(&[text])).await.unwrap();
        assert_eq!((&alone.vectors[0], alone.cached), (&all.vectors[index], true));
        tokens += alone.usage.input_tokens.unwrap();
    }
    assert_eq!((model.take(), tokens), (Vec::<String>::new(), 10), "their shares are all that was paid");
    after.forget(&job(1));
    assert!(after.embed(&who, &texts(&["one"])).await.unwrap().cached, "the memory forgets, not the store");
}

#[tokio::test]
async fn what_was_paid_while_the_store_was_away_is_not_paid_again() {
    let (model, shelf) = (paid(), Arc::<Shelf>::default());
    let (who, journal) = (caller(1, "s", "a", 0), journal(model, Some(&shelf)));
    shelf.away.store(true, Ordering::Relaxed);
    let failure = journal.embed(&who, &texts(&["one", "two"])).await.unwrap_err();
    assert!(matches!(failure, ModelError::Store(StoreError::Transient { .. })), "{failure:?}");
    shelf.away.store(false, Ordering::Relaxed);
    journal.embed(&who, &texts(&["two", "one", "three"])).await.unwrap();
    assert_eq!(model.take(), ["one", "two", "three"]);
    assert_eq!(shelf.kept.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_another_host_stored_first_counts() {
    let shelf = Arc::<Shelf>::default();
    let (one, two) = (paid(), paid());
    let who = caller(1, "s", "a", 0);
    // Another count of texts makes another vector.
    let theirs = journal(one, Some(&shelf)).embed(&who, &texts(&["one"])).await.unwrap();
    let late = journal(two, Some(&shelf));
    let key = CallKey::Vector { stage: "s".into(), request: texts(&[]).digest("one"), edition: Edition(0) }.stored();
    let hidden = shelf.kept.lock().unwrap().remove(&(job(1), key)).unwrap();
    let (slot, _) = late.memory().vector_slot(
        &job(1),
        CallKey::Vector { stage: "s".into(), request: texts(&[]).digest("one"), edition: Edition(0) },
    );
    slot.note_paid(Some(Embedding {
        vector: Vector::new(&[9.0]).unwrap(),
        usage: Usage::default(),
        model: "late".into(),
    }));
    shelf.kept.lock().unwrap().insert((job(1), key), hidden);
    let ours = late.embed(&who, &texts(&["one"])).await.unwrap();
    assert_eq!((ours.vectors, ours.model), (theirs.vectors, "test/m".into()));
}

#[test]
fn shares_add_up_to_what_was_paid() {
    let inputs: Vec<Arc<str>> = ["a", "a longer text", "", "of some length"].map(Into::into).into();
    let usage = Usage { input_tokens: Some(101), cost_nano_usd: Some(3), ..Usage::default() };
    let vectors = vec![Vector::new(&[1.0]).unwrap(); 4];
    let shares = shared(EmbedResponse { vectors, usage, model: "m".into(), cached: false }, &inputs);
    let sum = |of: fn(&Usage) -> Option<u64>| shares.iter().filter_map(|share| of(&share.usage)).sum::<u64>();
    assert_eq!((sum(|usage| usage.input_tokens), sum(|usage| usage.cost_nano_usd)), (101, 3));
    assert!(shares[1].usage.input_tokens > shares[0].usage.input_tokens);
    assert_eq!(shares[0].usage.output_tokens, None);
}
