//! Many long contracts at once through the stages of `examples/contracts`, while somebody asks about each of them all the time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use gristmill_model_server::{ModelServer, Script, Seen};
use serde_json::Value;

use crate::client::{Client, PATIENCE};
use crate::harness::{Harness, Setup};

/// How many contracts there are.
const CONTRACTS: usize = 150;
/// The pages of each, at 3,000 characters.
const PAGES: usize = 42;
/// How often every one is asked about.
const POLL: Duration = Duration::from_millis(200);
/// How much the host may grow once half of the contracts are done, in bytes: what the others leave in caches.
const ROOM: u64 = 64 << 20;
/// How many are submitted at a time.
const AT_ONCE: usize = 8;

/// The example's stages, with this server as both models.
fn stages(server: &ModelServer) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("contracts/pipeline.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (begin, end) = (file.find("[[stage]]").unwrap(), file.find("[models.small]").unwrap());
    let target = format!(
        "max_concurrent = 64\ntargets = [{{ provider = \"openai\", model = \"x\", base_url = {:?}, timeout = \"60s\" }}]",
        server.base_url()
    );
    format!("{}[models.small]\n{target}\n[models.smart]\n{target}\n", &file[begin..end])
}

/// A contract of so many pages.
fn contract(number: usize) -> String {
    let sentence = "The customer shall pay the fee for the service within thirty days after the invoice. ";
    let page = |page| format!("## Clause {number}-{page:02}\n\n{}\n\n", sentence.repeat(3_000 / sentence.len()));
    (0..PAGES).map(page).collect()
}

/// Answers of the form that was asked for.
fn answer(seen: &Seen) -> String {
    match seen.body.to_string().contains("one-sided for the customer") {
        true => r#"{"overview": "about a fee", "risks": [], "verdict": "sign"}"#.to_owned(),
        false => r#"{"summary": "the customer pays within thirty days"}"#.to_owned(),
    }
}

/// How far a job was when it was last seen: none of it ever gets less.
fn seen(job: &Value) -> (u8, u64, u64) {
    let phase = match job["status"].as_str().unwrap() {
        "accepted" => 0,
        "queued" => 1,
        "running" | "waiting" => 2,
        "completed" => 3,
        other => panic!("a contract is {other}: {job:#}"),
    };
    (phase, job["run"].as_u64().unwrap(), job["progress"].as_u64().unwrap())
}

/// Asks about a job until it is over.
async fn follow(client: Client, job: String) -> (Duration, usize) {
    let (deadline, mut last, mut polls, mut slowest) = (Instant::now() + 4 * PATIENCE, (0, 0, 0), 0, Duration::ZERO);
    loop {
        let asked = Instant::now();
        let state = client.job(&job).await;
        (polls, slowest) = (polls + 1, slowest.max(asked.elapsed()));
        let now = seen(&state);
        assert!(now >= last && now.2 >= last.2, "{job} ran backwards, from {last:?} to {now:?}");
        if now.0 == 3 {
            assert_eq!(now.2, 100);
            return (slowest, polls);
        }
        assert!(Instant::now() < deadline, "{job} has no end: {state:#}");
        last = now;
        tokio::time::sleep_until((asked + POLL).into()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_contracts_are_followed_to_their_ends_in_flat_memory() {
    let server = ModelServer::start(Script::new().otherwise(|seen| async move { answer(&seen) })).await;
    let setup = Setup::kafka(format!("[limits]\nmax_in_flight = 8\n{}", stages(&server)));
    let harness = Harness::new(setup).await;
    let mut host = harness.start().await;
    let mut followers: BTreeMap<usize, tokio::task::JoinHandle<(Duration, usize)>> = BTreeMap::new();
    for first in (0..CONTRACTS).step_by(AT_ONCE) {
        let numbers = first..CONTRACTS.min(first + AT_ONCE);
        let submit =
            async |number: usize| (number, host.client.submit(&harness.name, "text/markdown", contract(number)).await);
        for (number, job) in futures_util::future::join_all(numbers.map(submit)).await {
            followers.insert(number, tokio::spawn(follow(host.client.clone(), job)));
        }
    }
    let (mut half, mut polls, mut slowest) = (0, 0, Duration::ZERO);
    for (number, follower) in followers {
        let (slow, asked) = follower.await.unwrap();
        (polls, slowest) = (polls + asked, slowest.max(slow));
        match number {
            number if number < CONTRACTS / 2 => half = half.max(host.resident()),
            _ => {
                let now = host.resident();
                assert!(now < half + ROOM, "{} MiB after half of them, now {} MiB", half >> 20, now >> 20);
            }
        }
    }
    println!("{CONTRACTS} contracts, {polls} polls, the slowest took {slowest:?}, {} MiB", host.resident() >> 20);
    assert!(harness.records("dead").await.is_empty());
    assert_eq!(harness.records("out").await.len(), CONTRACTS);
    assert!(host.terminate().await.success(), "{}", host.last_words());
}
