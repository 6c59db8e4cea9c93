//! Answers that jobs share, and requests that share a call, over real HTTP and through all layers.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use gristmill_core::model::{ChatMessage, ChatRequest, Format, JobId, Merge, MergeScope, Role};
use gristmill_core::ports::{
    FlowEvent, JobState, Keep, Kept, Key, Model, Observer, Observers, SavedBy, Store, StoreError,
};
use gristmill_llm::Surroundings;
use gristmill_llm::settings::{AliasSettings, CacheSettings, Settings, TargetSettings};

use super::{alias, caller, purse, request, target};
use gristmill_model_server::{Behaviour, ModelServer, Script};

#[tokio::test]
async fn an_alias_with_a_cache_gives_an_answer_to_other_jobs_and_one_without_does_not() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::answer("ok")])).await;
    let targets = || vec![TargetSettings::OpenAi(target(&server))];
    let cache = Some(CacheSettings { ttl: Duration::from_secs(3_600) });
    for (cache, paid) in [(None, 2), (cache, 3)] {
        let model = alias(AliasSettings { cache, ..AliasSettings::new(targets()) });
        for job in 1..=2 {
            assert_eq!(model.chat(&caller(job), &request("x")).await.unwrap().text, "ok");
        }
        assert_eq!(server.paid(), paid);
    }
}

/// Notes what saved calls, in order.
#[derive(Default)]
struct Noting(Mutex<Vec<(String, SavedBy)>>);

impl Observer for Noting {
    fn observe(&self, event: &FlowEvent<'_>) {
        if let FlowEvent::ModelCallSaved { alias, by, .. } = event {
            self.0.lock().unwrap().push(((*alias).to_owned(), *by));
        }
    }
}

#[tokio::test]
async fn an_observer_hears_what_saved_a_call() {
    let all =
        r#"{"answers": [{"id": 1, "answer": {"n": 1}}, {"id": 2, "answer": {"n": 2}}, {"id": 3, "answer": {"n": 3}}]}"#;
    let server = ModelServer::start(Script::new().when("", [Behaviour::answer(all)])).await;
    let targets = vec![TargetSettings::OpenAi(target(&server))];
    let cache = Some(CacheSettings { ttl: Duration::from_secs(3_600) });
    let models = [("smart".to_owned(), AliasSettings { cache, ..AliasSettings::new(targets) })].into();
    let noting = Arc::new(Noting::default());
    let surroundings = Surroundings {
        store: None,
        answers: None,
        counters: None,
        limits: Arc::default(),
        purse: purse(),
        observer: Arc::<Noting>::clone(&noting),
    };
    let model = gristmill_llm::build(Settings { models, ..Settings::default() }, surroundings).unwrap().model;
    let heard = || std::mem::take(&mut *noting.0.lock().unwrap());
    let told = |by, times| vec![("smart".to_owned(), by); times];

    let texts = ["text 1", "text 2", "text 3"].map(counted);
    let callers = [1, 2, 3].map(caller);
    let calls = callers.iter().zip(&texts).map(|(caller, request)| model.chat(caller, request));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!((heard(), server.paid()), (told(SavedBy::Merge, 3), 1));
    model.chat(&caller(1), &texts[0]).await.unwrap();
    assert_eq!(heard(), told(SavedBy::Journal, 1));
    model.chat(&caller(9), &texts[0]).await.unwrap();
    assert_eq!((heard(), server.paid()), (told(SavedBy::Cache, 1), 1));
}

/// A store that outlives the hosts of a test.
#[derive(Default)]
struct Shelf(Mutex<HashMap<(JobId, Key), Kept>>);

#[async_trait]
impl Store for Shelf {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        Ok(self.0.lock().unwrap().get(&(job.clone(), key)).cloned())
    }

    async fn keys(&self, _: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        panic!("only the flow asks for keys")
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        let mut all = self.0.lock().unwrap();
        Ok(new.iter().map(|new| all.insert((new.job.clone(), new.key), new.kept.clone())).collect())
    }

    fn ended(&self, _: &JobId, _: JobState) -> Result<(), StoreError> {
        Ok(())
    }
}

fn host(server: &ModelServer, store: &Arc<Shelf>) -> Arc<dyn Model> {
    let models = [("smart".to_owned(), AliasSettings::new(vec![TargetSettings::OpenAi(target(server))]))].into();
    let surroundings = Surroundings {
        store: Some(Arc::<Shelf>::clone(store)),
        answers: None,
        counters: None,
        limits: Arc::default(),
        purse: purse(),
        observer: Arc::new(Observers::default()),
    };
    gristmill_llm::build(Settings { models, ..Settings::default() }, surroundings).unwrap().model
}

fn counted(text: &str) -> ChatRequest {
    let merge = Merge {
        items: NonZeroU32::new(3).unwrap(),
        tokens: 1_000,
        wait: Duration::from_millis(200),
        among: MergeScope::Pipeline,
    };
    let schema =
        r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"#;
    let format = Format::Schema { name: "count".into(), description: None, schema: schema.into() };
    let messages = vec![ChatMessage::text(Role::System, "Count."), ChatMessage::text(Role::User, text)];
    ChatRequest { format, merge: Some(merge), ..ChatRequest::new(messages) }
}

#[tokio::test]
async fn a_crash_between_the_answers_of_a_shared_call_pays_for_none_of_them_twice() {
    // The call for all leaves the third out, which is then asked alone: there the first host dies.
    let all = r#"{"answers": [{"id": 1, "answer": {"n": 1}}, {"id": 2, "answer": {"n": 2}}]}"#;
    let server = ModelServer::start(
        Script::new().when("request 1", [Behaviour::answer(all)]).when("", [Behaviour::Held(r#"{"n": 3}"#.into())]),
    )
    .await;
    let store = Arc::new(Shelf::default());
    let ask = |host: Arc<dyn Model>, job: u128| async move {
        host.chat(&caller(job), &counted(&format!("text {job}"))).await.map(|answer| (answer.text, answer.cached))
    };
    let first = host(&server, &store);
    let dies = tokio::spawn(join_all((1..=3).map(|job| ask(Arc::clone(&first), job)).collect::<Vec<_>>()));
    server.until("the third is asked alone", |server| server.in_flight() == 1).await;
    while store.0.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    dies.abort();
    assert!(dies.await.is_err());
    assert_eq!((server.calls(), server.paid()), (2, 1));

    server.release(10);
    let second = host(&server, &store);
    let answers = join_all((1..=2).map(|job| ask(Arc::clone(&second), job))).await;
    let expected = [(r#"{"n": 1}"#.to_owned(), true), (r#"{"n": 2}"#.to_owned(), true)];
    assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
    assert_eq!(server.calls(), 2, "they are in the journal, each under its own job");
    assert_eq!(ask(second, 3).await.unwrap(), (r#"{"n": 3}"#.to_owned(), false));
    assert_eq!(server.calls(), 3);
}
