//! What the gateway to the models adds to a call: `just bench gateway`.
//!
//! The same calls of one model server in another process: with the HTTP client alone, in one piece and streamed, and through
//! the gateway, which streams. Calls of all ways are made in the same seconds, each way at the same rate and none waiting for
//! another, in an order that is shuffled anew for each round of one call each: so what else the machine does meets all of them
//! alike. The difference to the streamed call counts. What a call costs in CPU time is measured apart, one way at a time.

use std::io::Read;
use std::process::Stdio;
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
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{cpu_time, load};

/// Of each way.
const CALLS_PER_SECOND: u32 = 200;
/// Calls of one round in each way.
const CALLS: u32 = 20 * CALLS_PER_SECOND;
/// Of one round in which CPU time is measured, in each way.
const CALLS_ALONE: u32 = 5 * CALLS_PER_SECOND;
/// Before anything is measured, in each way: connections are opened, and code and memory are touched.
const WARM_UP: u32 = CALLS_PER_SECOND;
/// How long the server takes, on a local network and with a fast model.
const LATENCY: Duration = Duration::from_millis(20);

/// Prints how long calls take in each way and what they cost, over so many rounds.
pub(crate) async fn measure(rounds: usize) {
    println!("load average before: {}", load());
    let (_server, base_url) = start_server().await;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store =
        Sqlite::open(gristmill_store::Settings::new(folder.path(), "gateway", Arc::new(|| Timestamp(0)))).unwrap();
    let direct = |form| {
        let client = Client::builder().no_proxy().build().unwrap();
        Way::Direct { client, url: format!("{base_url}/chat/completions"), form }
    };
    let ways = [
        ("directly, in one piece", direct(Form::Whole)),
        ("directly, streamed", direct(Form::Streamed)),
        ("gateway", Way::Gateway(gateway(&base_url, None))),
        ("gateway with a store", Way::Gateway(gateway(&base_url, Some(Arc::new(store))))),
    ];
    let all: Vec<&Way> = ways.iter().map(|(_, way)| way).collect();
    let mut numbers = 0..;
    side_by_side(&all, WARM_UP, &mut numbers).await;
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    let mut cpu = vec![Duration::ZERO; ways.len()];
    for _ in 0..rounds {
        for (took, more) in took.iter_mut().zip(side_by_side(&all, CALLS, &mut numbers).await) {
            took.extend(more);
        }
        for (way, cpu) in all.iter().zip(&mut cpu) {
            let before = cpu_time();
            side_by_side(&[way], CALLS_ALONE, &mut numbers).await;
            *cpu += cpu_time() - before;
        }
    }
    println!("{CALLS_PER_SECOND} calls/s in each way, {rounds} rounds of {CALLS} calls each:");
    println!("{:<24} {:>9} {:>9} {:>9} {:>16}", "", "p50", "p90", "p99", "CPU per call");
    let mut percentiles = Vec::new();
    for (((name, _), took), cpu) in ways.iter().zip(&mut took).zip(cpu) {
        took.sort_unstable();
        let [p50, p90, p99] = [50, 90, 99].map(|share| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3);
        let cpu = cpu.as_secs_f64() * 1e6 / (rounds as f64 * f64::from(CALLS_ALONE));
        println!("{name:<24} {p50:>6.2} ms {p90:>6.2} ms {p99:>6.2} ms {cpu:>13.0} us");
        percentiles.push((p50, p99));
    }
    let (streamed, gateway) = (percentiles[1], percentiles[2]);
    println!(
        "the gateway adds {:.2} ms to the median of a streamed call and {:.2} ms to its 99th percentile",
        gateway.0 - streamed.0,
        gateway.1 - streamed.1
    );
    println!("load average after: {}", load());
}

/// Internal: answers until the measuring process closes its input. The first line of its output is its address.
pub(crate) async fn serve() {
    let script = Script::new().otherwise(|_| async {
        tokio::time::sleep(LATENCY).await;
        r#"{"summary": "as the model sees it"}"#.to_owned()
    });
    let server = ModelServer::start(script).await;
    println!("{}", server.base_url());
    let _closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
}

/// The server in a process of its own, which ends with this one, and its base URL.
async fn start_server() -> (Child, String) {
    let mut server = Command::new(std::env::current_exe().unwrap());
    let server = server.arg("gateway-server").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut server = server.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let base_url = lines.next_line().await.unwrap().unwrap();
    (server, base_url)
}

#[derive(Clone)]
enum Way {
    Direct { client: Client, url: String, form: Form },
    Gateway(Gateway),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Streamed,
}

fn gateway(base_url: &str, store: Option<Arc<dyn Store>>) -> Gateway {
    let target = OpenAiSettings { base_url: base_url.to_owned(), ..OpenAiSettings::new("m") };
    let mut alias = AliasSettings::new(vec![TargetSettings::OpenAi(target)]);
    alias.max_concurrent = 1_000.try_into().unwrap();
    let surroundings = Surroundings {
        store,
        answers: None,
        counters: None,
        limits: Arc::new(Limits::default()),
        purse: Arc::new(Purse::new(Budgets::default(), Arc::new(|| Timestamp(0)))),
        observer: Arc::new(Observers::default()),
    };
    gristmill_llm::build(Settings { models: [("m".to_owned(), alias)].into(), ..Settings::default() }, surroundings)
        .unwrap()
}

/// So many calls of each way at the rate of each, none of which waits for another. Returns how long they took, by way.
async fn side_by_side(ways: &[&Way], calls: u32, numbers: &mut impl Iterator<Item = u128>) -> Vec<Vec<Duration>> {
    let count = u32::try_from(ways.len()).unwrap();
    let mut ticks = interval(Duration::from_secs(1) / (CALLS_PER_SECOND * count));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    let mut order: Vec<usize> = (0..ways.len()).collect();
    for _ in 0..calls {
        // Clocks of timers tick each millisecond: a fixed order would meet the same part of it each time.
        fastrand::shuffle(&mut order);
        for &at in &order {
            ticks.tick().await;
            let (way, number) = (ways[at].clone(), numbers.next().unwrap());
            running.spawn(async move {
                let begun = Instant::now();
                call(&way, number).await;
                (at, begun.elapsed())
            });
        }
    }
    let mut took = vec![Vec::new(); ways.len()];
    for (at, time) in running.join_all().await {
        took[at].push(time);
    }
    took
}

async fn call(way: &Way, number: u128) {
    let text =
        format!("Summarise document {number}. {}", "The customer waits for the refund of the order. ".repeat(40));
    match way {
        Way::Direct { client, url, form } => {
            let mut body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
            if *form == Form::Streamed {
                body["stream"] = json!(true);
                body["stream_options"] = json!({"include_usage": true});
            }
            let answer = client.post(url).json(&body).send().await.unwrap();
            let said = match form {
                Form::Whole => {
                    let answer: Value = answer.json().await.unwrap();
                    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
                }
                Form::Streamed => streamed(&answer.bytes().await.unwrap()),
            };
            assert!(said.contains("as the model sees it"), "{said}");
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

/// The text of a stream, put together as a script would do it.
fn streamed(body: &[u8]) -> String {
    let events = std::str::from_utf8(body).unwrap().lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = events.take_while(|data| *data != "[DONE]").map(|data| serde_json::from_str::<Value>(data).unwrap());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}
