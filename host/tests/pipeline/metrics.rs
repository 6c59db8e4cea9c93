//! The admin server of a real run: every metric that docs/metrics.md lists is told, and commands do what they say.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use gristmill_model_server::{ModelServer, Script};
use reqwest::Client;
use serde_json::Value;

use crate::harness::{Harness, Host};

/// Where the host's admin server listens, as its log says.
pub(crate) async fn admin(harness: &Harness, host: &mut Host) -> String {
    let address = |log: &str| {
        let (_, rest) = log.split_once("the admin server listens")?;
        let (_, rest) = rest.split_once("address=")?;
        Some(format!("http://{}", rest.split_whitespace().next()?))
    };
    harness.until("its admin server listens", host, async || address(&harness.log()).is_some()).await;
    address(&harness.log()).unwrap()
}

async fn get(url: &str) -> String {
    Client::new().get(url).send().await.unwrap().text().await.unwrap()
}

async fn json(url: &str) -> Value {
    serde_json::from_str(&get(url).await).unwrap()
}

/// The metrics that the documentation lists.
fn listed() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("<!-- metrics -->").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

/// A stage that executes the command in each item, and a model whose limits are declared.
fn obedient(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"obey\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\n[models.m]\ntargets = [{{ provider = \
         \"openai\", model = \"x\", base_url = {:?}, timeout = \"60s\", limits = {{ requests_per_minute = 100_000 }} }}]\n",
        server.base_url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_told_by_a_real_run() {
    let server = ModelServer::start(Script::new()).await;
    let harness = Harness::new(&obedient(&server), 2).await;
    let commands = ["echo", "panic", "ask plain", "ask-then-trap once", "flood 12"];
    harness.send(commands.map(|command| ("text/plain", Some(command.to_owned())))).await;
    let mut host = harness.start();
    let admin = admin(&harness, &mut host).await;
    harness.until_all_settled(&mut host).await;
    let name = &harness.name;
    for command in ["pause", "resume"] {
        let answer = Client::new().post(format!("{admin}/v1/pipelines/{name}/{command}")).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    // Lag is looked at every few seconds.
    let told = async || {
        let metrics = get(&format!("{admin}/metrics")).await;
        let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        names.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    harness.until("every metric is told", &mut host, async || told().await.is_superset(&listed())).await;
    assert_eq!(told().await, listed(), "and nothing else");
    let metrics = get(&format!("{admin}/metrics")).await;
    for line in [
        format!("gristmill_events_total{{pipeline={name:?}}} 5"),
        format!("gristmill_jobs_total{{pipeline={name:?},end=\"emitted\"}} 3"),
        format!("gristmill_dead_letters_total{{pipeline={name:?},reason=\"output-too-large\"}} 1"),
        format!("gristmill_dead_letters_total{{pipeline={name:?},reason=\"trap\"}} 1"),
        format!("gristmill_stage_traps_total{{pipeline={name:?},stage=\"obey\",code=\"trap\"}} 3"),
        format!("gristmill_model_calls_saved_total{{pipeline={name:?},alias=\"m\",by=\"journal\"}} 1"),
        format!("gristmill_pauses_total{{pipeline={name:?},reason=\"operator\"}} 1"),
        format!("gristmill_paused{{pipeline={name:?},reason=\"operator\"}} 0"),
        format!("gristmill_partitions_assigned{{pipeline={name:?}}} 2"),
    ] {
        assert!(metrics.lines().any(|told| told == line), "not told: {line}\n{metrics}");
    }
    let health = json(&format!("{admin}/healthz")).await;
    let pipeline = &health["pipelines"][0];
    assert_eq!((&health["phase"], &pipeline["state"]), (&"running".into(), &"running".into()), "{health:#}");
    assert_eq!(pipeline["recent"]["success_rate"], 0.6, "{health:#}");
    assert_eq!(pipeline["models"][0]["target"], "openai/x", "{health:#}");
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_reloaded_and_tapped_by_the_admin_server() {
    let pass = "[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n";
    let harness = Harness::new(pass, 1).await;
    let mut host = harness.start();
    let admin = admin(&harness, &mut host).await;
    let pipeline = format!("{admin}/v1/pipelines/{}", harness.name);
    harness
        .until("it is ready", &mut host, async || {
            Client::new().get(format!("{admin}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;

    let mut tap = Client::new().get(format!("{pipeline}/tap?stage=pass")).send().await.unwrap();
    harness.send([("text/plain", Some("canary of a document".to_owned()))]).await;
    let mut told = String::new();
    while !told.contains("\n\n") {
        let chunk = tokio::time::timeout(Duration::from_secs(600), tap.chunk()).await.unwrap().unwrap().unwrap();
        told += std::str::from_utf8(&chunk).unwrap();
    }
    assert!(told.contains("\"payload\":\"(20 characters)\"") && !told.contains("canary"), "{told}");

    let file = std::fs::read_to_string(harness.file()).unwrap();
    let reload = async |more: &str| {
        std::fs::write(harness.file(), format!("{file}{more}")).unwrap();
        let answer = Client::new().post(format!("{pipeline}/reload")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, done) = reload("[[stage]]\nname = \"clean\"\nmodule = \"builtin:sanitize\"\n").await;
    assert_eq!((status, &done["result"], &done["deployment"]), (200, &"swapped".into(), &2.into()));
    let (status, problem) = reload("[[stage]]\nname = \"clean\"\nmodule = \"builtin:none\"\n").await;
    assert!(status == 422 && problem["detail"].as_str().unwrap().contains("none"), "{status} {problem}");
    assert_eq!(json(&pipeline).await["deployment"], 2, "a faulty file changes nothing");
    let (status, done) = reload("[limits]\nmax_in_flight = 3\n").await;
    assert_eq!((status, &done["result"]), (200, &"restarted".into()));
    assert_eq!(json(&pipeline).await["totals"]["events"], 1, "counters go on");
    assert_eq!(host.terminate().await, Some(0));
}
