//! What the gateway to the models adds to a call: `just bench gateway`.
//!
//! The same calls of a model server in this process, directly with the HTTP client and through the gateway, in turn, at a
//! fixed rate. The difference counts.

use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::{
    ChatMessage, ChatRequest, EventId, JobId, Partition, Position, Role, Timestamp, TraceContext,
};
use gristmill_core::ports::{Caller, Edition, Observers, Store};
use gristmill_llm::settings::{AliasSettings, Budgets, OpenAiSettings, Settings, TargetSettings};
use gristmill_llm::{Gateway, Limits, Purse, Surroundings};
use gristmill_model_server::{ModelServer, Script};
use gristmill_store::Sqlite;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::load;

const CALLS_PER_SECOND: u32 = 200;
/// Calls of one round in each way.
const CALLS: u32 = 10 * CALLS_PER_SECOND;
/// How long the server takes, on a local network and with a fast model.
const LATENCY: Duration = Duration::from_millis(20);

/// Prints how long calls take in each way, over so many rounds.
pub(crate) async fn measure(rounds: usize) {
    println!("load average before: {}", load());
    let script = Script::new().otherwise(|_| async {
        tokio::time::sleep(LATENCY).await;
        r#"{"summary": "as the model sees it"}"#.to_owned()
    });
    let server = ModelServer::start(script).await;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store =
        Sqlite::open(gristmill_store::Settings::new(folder.path(), "gateway", Arc::new(|| Timestamp(0)))).unwrap();
    let direct =
        Way::Direct(reqwest::Client::builder().no_proxy().build().unwrap(), server.url("/v1/chat/completions"));
    let ways = [
        ("directly", direct),
        ("gateway", Way::Gateway(gateway(&server, None))),
        ("gateway with a store", Way::Gateway(gateway(&server, Some(Arc::new(store))))),
    ];
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    for round in 0..rounds {
        for ((_, way), took) in ways.iter().zip(&mut took) {
            took.extend(run(way, round).await);
        }
    }
    println!("{CALLS_PER_SECOND} calls/s, {rounds} rounds of {CALLS} calls, ms:");
    println!("{:<22} {:>8} {:>8} {:>8}", "", "p50", "p90", "p99");
    for ((name, _), took) in ways.iter().zip(&mut took) {
        took.sort_unstable();
        let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
        println!("{name:<22} {:>8.2} {:>8.2} {:>8.2}", at(50), at(90), at(99));
    }
    println!("load average after: {}", load());
}

#[derive(Clone)]
enum Way {
    Direct(reqwest::Client, String),
    Gateway(Gateway),
}

fn gateway(server: &ModelServer, store: Option<Arc<dyn Store>>) -> Gateway {
    let target = OpenAiSettings { base_url: server.base_url(), ..OpenAiSettings::new("m") };
    let mut alias = AliasSettings::new(vec![TargetSettings::OpenAi(target)]);
    alias.max_concurrent = 1_000.try_into().unwrap();
    let surroundings = Surroundings {
        store,
        answers: None,
        limits: Arc::new(Limits::default()),
        purse: Arc::new(Purse::new(Budgets::default(), Arc::new(|| Timestamp(0)))),
        observer: Arc::new(Observers::default()),
    };
    gristmill_llm::build(Settings { models: [("m".to_owned(), alias)].into(), ..Settings::default() }, surroundings)
        .unwrap()
}

/// One round of calls, none of which waits for another.
async fn run(way: &Way, round: usize) -> Vec<Duration> {
    let mut ticks = interval(Duration::from_secs(1) / CALLS_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        ticks.tick().await;
        let (way, number) = (way.clone(), round as u128 * u128::from(CALLS) + u128::from(number));
        calls.spawn(async move {
            let begun = Instant::now();
            call(&way, number).await;
            begun.elapsed()
        });
    }
    calls.join_all().await
}

async fn call(way: &Way, number: u128) {
    let text =
        format!("Summarise document {number}. {}", "The customer waits for the refund of the order. ".repeat(40));
    match way {
        Way::Direct(client, url) => {
            let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
            let answer: Value = client.post(url).json(&body).send().await.unwrap().json().await.unwrap();
            assert!(answer["choices"][0]["message"]["content"].is_string());
        }
        Way::Gateway(Gateway { model, models }) => {
            let partition = Partition { topic: "in".into(), index: 0 };
            let job = JobId::new("p", &EventId { partition, position: Position(number) });
            let trace = TraceContext::of_job(&job);
            let (stage, item, edition) = ("stage".into(), "item".into(), Edition::default());
            let caller = Caller { job: job.clone(), stage, item, repeat: 0, edition, trace };
            model.chat(&caller, &ChatRequest::new(vec![ChatMessage::text(Role::User, text)])).await.unwrap();
            models.forget(&job);
        }
    }
}
