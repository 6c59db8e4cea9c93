//! Progress over the death of a host and a takeover by another one: it never runs backwards.

use std::time::{Duration, Instant};

use gristmill_test_servers::Postgres;
use serde_json::Value;

use crate::client::{PATIENCE, path_of};
use crate::harness::{Harness, OBEY, Setup};

/// The first two stages take no time, the third one four seconds.
const DOCUMENT: &str = "echo echo compute 4000";

fn stages() -> String {
    let (stage, model) = OBEY.split_once("[models").unwrap();
    let stages = ["one", "two", "three"].map(|name| stage.replace("\"obey\"", &format!("{name:?}")));
    format!("{}[models{model}", stages.concat())
}

/// What must not run backwards.
fn standing(job: &Value) -> (u64, u64) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    (number(&job["progress"]), number(&job["stage"]["index"]))
}

async fn is_taken_over(delivery: &str) {
    let store = Postgres::shared().await.database().await;
    let mut setup = Setup::kafka(stages()).store(&store);
    setup.top = format!("delivery = {delivery:?}");
    setup.partitions = 1;
    let harness = Harness::new(setup).await;
    let mut first = harness.start().await;
    // It has the partition, and keeps it when the one that takes over comes, which is asked all the time.
    let before = first.client.submit(&harness.name, "text/plain", "echo echo echo done").await;
    first.client.until_over(&before).await;
    let watcher = harness.start().await;
    let job = first.client.submit(&harness.name, "text/plain", DOCUMENT).await;
    first.client.until(&job, "it is in the third stage", |job| standing(job) >= (50, 3)).await;
    first.kill().await;
    let (deadline, mut before) = (Instant::now() + PATIENCE, (0, 0));
    let mut version = 0;
    loop {
        let answer = watcher.client.get(&path_of(&job)).await.is(200);
        let now = answer.json();
        assert!(standing(&now) >= before, "{before:?}, then {now:#}");
        let newer =
            answer.header("etag").trim_matches('"').rsplit(['-', '.']).next().and_then(|number| number.parse().ok());
        let newer: u64 = newer.unwrap_or_default();
        assert!(newer >= version, "{version}, then {newer}: {now:#}");
        (before, version) = (standing(&now), newer);
        if now["status"] == "completed" {
            break;
        }
        assert_ne!(now["status"], "failed", "{now:#}");
        assert!(Instant::now() < deadline, "{now:#}\n{}", watcher.last_words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(before.0, 100);
    let outputs = harness.records("out").await;
    assert_eq!(outputs.len(), 2, "the first host was killed in the third stage");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_never_runs_backwards_when_another_host_takes_over() {
    is_taken_over("at-least-once").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_with_transactions() {
    is_taken_over("exactly-once").await;
}
