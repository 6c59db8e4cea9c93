//! What a stage reaches beside models: services, values between items, metrics.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gristmill_core::model::{
    Amount, Blame, Entry, HttpFailure, HttpRequest, HttpResponse, Quota, Space, StateWrite, Wrote,
};
use gristmill_core::ports::{
    Answered, Caller, FlowEvent, Observer, Outbound, OutboundError, StageError, StageState, StoreError,
};
use gristmill_wasm::{Grants, State};
use serde_json::json;

use crate::harness::{Loaded, Sandbox, guest};
use crate::outside::Outside;
use crate::text;

/// Answers with the path, or fails as it says.
#[derive(Default)]
struct Paths {
    asked: Mutex<Vec<(Caller, HttpRequest)>>,
}

#[async_trait]
impl Outbound for Paths {
    async fn call(&self, caller: &Caller, request: &HttpRequest) -> Result<Answered, OutboundError> {
        self.asked.lock().unwrap().push((caller.clone(), request.clone()));
        let path = request.url.rsplit('/').next().unwrap_or_default();
        let blame = match path {
            "down" => Some(Blame::Dependency),
            "odd" => Some(Blame::Request),
            _ => None,
        };
        match path {
            "lost" => Err(OutboundError::Http { failure: HttpFailure::Unavailable("lost".into()), blame }),
            "denied" => Err(HttpFailure::Denied("not in the grant".into()).into()),
            "no-store" => Err(StoreError::Transient { store: "s".into(), reason: "away".into() }.into()),
            _ => {
                let status = if blame.is_some() { 503 } else { 200 };
                let body = path.to_owned().into();
                Ok(Answered { response: HttpResponse { status, headers: Vec::new(), body, cached: false }, blame })
            }
        }
    }

    fn most_calls(&self) -> u32 {
        3
    }
}

/// By the rule, in memory.
#[derive(Default)]
struct Values(Mutex<(Space, HashMap<String, Entry>)>);

#[async_trait]
impl StageState for Values {
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        assert_eq!(stage, "under-test");
        Ok(self.0.lock().unwrap().1.get(key).cloned())
    }

    async fn write_entry(&self, _: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        let (space, entries) = &mut *self.0.lock().unwrap();
        let before = entries.get(&write.key);
        if !write.expected.is_met_by(before.map(|entry| entry.version)) {
            return Ok(Wrote::Conflict(before.cloned()));
        }
        let Some(after) = space.after(&write, before.map(|entry| entry.value.len())) else { return Ok(Wrote::Full) };
        *space = after;
        match write.value {
            Some(value) => drop(entries.insert(write.key, Entry { version: after.version, value })),
            None => drop(entries.remove(&write.key)),
        }
        Ok(Wrote::Done(after.version))
    }
}

#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Observer for Noted {
    fn observe(&self, event: &FlowEvent<'_>) {
        if let FlowEvent::Measured { stage, measure } = event {
            let amount = match measure.amount() {
                Amount::Add(more) => format!("+{more}"),
                Amount::Observe(value) => format!("{value}"),
            };
            let told = format!("{stage} {} {:?} {amount}", measure.name(), measure.labels());
            self.0.lock().unwrap().push(told);
        }
    }
}

#[derive(Default)]
struct World {
    services: Arc<Paths>,
    values: Arc<Values>,
    noted: Arc<Noted>,
}

impl World {
    fn outside(&self) -> Outside {
        let quota = Quota { keys: 3, bytes: 100_000 };
        Outside {
            http: Some(Arc::<Paths>::clone(&self.services)),
            state: Some(State { entries: Arc::<Values>::clone(&self.values), quota }),
            metrics: Some(Arc::<Noted>::clone(&self.noted)),
        }
    }

    async fn reach(&self) -> Loaded {
        Sandbox::new().outside(self.outside()).load(guest("reach"), json!({})).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reach_needs_its_grant() {
    let all = Grants { http: true, state: true, metrics: true, ..Grants::default() };
    for (without, wanted) in [
        (Grants { http: false, ..all }, "{ http = ["),
        (Grants { state: false, ..all }, "grants = [\"state\"]"),
        (Grants { metrics: false, ..all }, "grants = [\"metrics\"]"),
    ] {
        let refused = Sandbox::new().grants(without).load(guest("reach"), json!({})).await.err().unwrap().to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_stage_is_described_it_reaches_nothing() {
    let world = World::default();
    let stage = world.reach().await;
    assert_eq!(stage.description().description, "Reaches outside");
    assert!(world.services.asked.lock().unwrap().is_empty() && world.noted.0.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_made_for_its_item_and_not_more_often_than_allowed() {
    let world = World::default();
    let stage = world.reach().await;
    assert_eq!(text(stage.run("send GET https://a.example/x").await), "200 x");
    let five = text(stage.run("send-many 5 https://a.example/y").await);
    assert!(five.starts_with("200 y; 200 y; 200 y; Error::Denied(") && five.contains("max_calls"), "{five}");
    assert_eq!(text(stage.run("send GET https://a.example/z").await), "200 z", "each call of the stage counts anew");
    assert!(text(stage.run("send GET https://a.example/denied").await).contains("not in the grant"));
    let asked = world.services.asked.lock().unwrap();
    let repeats: Vec<u32> = asked.iter().map(|(caller, _)| caller.repeat).collect();
    assert_eq!(repeats, [0, 0, 1, 2, 0, 0], "equal calls are told apart");
    assert!(asked.iter().all(|(caller, request)| &*caller.stage == "under-test" && request.timeout.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_judgement_of_a_service_outweighs_the_words_of_the_stage() {
    let stage = World::default().reach().await;
    let run = async |path: &str| stage.run(&format!("send-or-fail POST https://a.example/{path}")).await;
    assert_eq!(text(run("fine").await), "fine");
    assert!(matches!(run("down").await, Err(StageError::Slow { .. })), "the service is down: hold everything");
    assert!(matches!(run("odd").await, Err(StageError::Retry { .. })), "it answers others: this item alone");
    assert!(matches!(run("lost").await, Err(StageError::Retry { .. })));
    assert!(matches!(run("denied").await, Err(StageError::Permanent(failure)) if failure.code == "http-denied"));
    assert!(matches!(run("no-store").await, Err(StageError::Store(_))), "the guest hears nothing of the store");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_stay_from_item_to_item_within_their_quota() {
    let world = World::default();
    let stage = world.reach().await;
    let run = async |line: &str| text(stage.run(line).await);
    assert_eq!(run("get a").await, "Ok(None)");
    assert_eq!(run("put a one").await, "Ok(1)");
    assert_eq!(run("get a").await, "one");
    assert_eq!((run("add n").await, run("add n").await), ("1".into(), "2".into()));
    assert_eq!(run("first seen").await, "true");
    assert!(run("put fourth x").await.contains("QuotaExceeded"));
    assert_eq!(run("delete a").await, "Ok(())");
    assert_eq!(run("put fourth x").await, "Ok(6)");
    assert!(run("put-large fourth 65537").await.contains("TooLarge(65536)"));
    assert!(run("put-large fourth 65536").await.starts_with("Ok"));
    for key in ["", &"k".repeat(257), "a\u{7}b"] {
        assert!(run(&format!("put {key} x")).await.contains("InvalidKey"), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_counts_is_told_if_its_name_is_one() {
    let world = World::default();
    let stage = world.reach().await;
    assert_eq!(text(stage.run("count pages scanned").await), "counted");
    assert_eq!(text(stage.run("count Pages{} scanned").await), "counted");
    let noted = world.noted.0.lock().unwrap();
    let expected =
        ["under-test pages [(\"kind\", \"scanned\")] +2", "under-test length [] 19", "under-test length [] 21"];
    assert_eq!(*noted, expected);
}
