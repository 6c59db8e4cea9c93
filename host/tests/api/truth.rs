//! Every answer is true afterwards, whoever dies: 202 means that the broker has the event, unless its acknowledgement was not
//! waited for; and whatever was answered before an orderly end is published.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gristmill_test_servers::free_port;
use reqwest::RequestBuilder;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Answer, Client, PATIENCE, path_of};
use crate::harness::{Harness, Host, PASS, Setup, gristmill, header};
use crate::idempotency::{jobs_of, keyed, listed, must_run_once, until_listed};
use crate::own_broker::OwnBroker;

/// How long a request may take whose event the broker does not acknowledge: it waits 10 s for that, and perhaps 10 s more for
/// an earlier one with its key.
const SOON: Duration = Duration::from_secs(60);
/// How many are submitted without waiting for the broker.
const MANY: usize = 300;

/// Sends a request that may never be answered.
fn send(client: &Client, request: RequestBuilder) -> JoinHandle<reqwest::Result<Answer>> {
    let client = client.clone();
    tokio::spawn(async move { client.try_send(request).await })
}

fn id(accepted: Answer) -> String {
    accepted.is(202).json()["job_id"].as_str().unwrap().to_owned()
}

/// The ids of the jobs whose events are in the source topic.
async fn published(harness: &Harness) -> BTreeSet<String> {
    let events = harness.records("in").await;
    let names = events.iter().map(|event| header(event, "gristmill-submitted"));
    names.map(|name| name.strip_suffix(";1").unwrap().to_owned()).collect()
}

fn must_be_away(answer: Answer) {
    let problem = answer.clone().is(503).json();
    assert_eq!(problem["type"], "urn:gristmill:problem:broker-unavailable", "{problem}");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
}

/// Sends the same request until it is accepted. Until then the broker is away.
async fn until_accepted(client: &Client, request: impl Fn() -> RequestBuilder) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.send(request()).await;
        if answer.status == 202 {
            return id(answer);
        }
        must_be_away(answer);
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: the broker takes events again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_before_it_could_publish_has_accepted_nothing() {
    let mut broker = OwnBroker::start().await;
    let harness = Harness::new(Setup::kafka(PASS).at(broker.address())).await;
    let mut host = harness.start().await;
    let path = jobs_of(&harness.name);
    let done = id(host.client.send(keyed(&host.client, &path, "done", "done")).await);
    host.client.until_over(&done).await;

    broker.down().await;
    let unanswered = [("wanted", "wanted"), ("given-up", "given up")]
        .map(|(key, body)| send(&host.client, keyed(&host.client, &path, key, body)));
    until_listed(&host.client, &harness.name, 3).await;
    let unwaited = host.client.send(keyed(&host.client, &format!("{path}?ack=none"), "unwaited", "unwaited")).await;
    assert_eq!(unwaited.json()["status"], "accepted", "its record says so, and no more");
    let unwaited = id(unwaited);
    assert_eq!(host.client.job(&unwaited).await["status"], "accepted");
    host.kill().await;
    for answer in join_all(unanswered).await {
        // If this machine was slow, it has been told that the broker is away.
        if let Ok(answer) = answer.unwrap() {
            must_be_away(answer);
        }
    }

    broker.up().await;
    let mut host = harness.start().await;
    let accepted = listed(&host.client, &harness.name, "&status=accepted").await;
    assert_eq!((accepted.len(), accepted.contains(&unwaited)), (3, true));
    assert_eq!(published(&harness).await, BTreeSet::from([done.clone()]), "nothing was published, as the records say");

    // The same request is the same job, and runs.
    let wanted = id(host.client.send(keyed(&host.client, &path, "wanted", "wanted")).await);
    assert!(accepted.contains(&wanted) && wanted != unwaited);
    assert_eq!(id(host.client.send(keyed(&host.client, &path, "unwaited", "unwaited")).await), unwaited);
    for job in [&wanted, &unwaited] {
        assert_eq!(host.client.until_over(job).await["status"], "completed");
    }
    // Nobody has asked for the third one again.
    let given_up: BTreeSet<String> = accepted.into_iter().filter(|job| ![&wanted, &unwaited].contains(&job)).collect();
    assert_eq!(listed(&host.client, &harness.name, "&status=accepted").await, given_up);
    harness.until_settled().await;
    assert_eq!(published(&harness).await, BTreeSet::from([done, wanted, unwaited]));
    assert_eq!((harness.records("in").await.len(), harness.records("out").await.len()), (3, 3));
    assert!(host.terminate().await.success(), "{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_clients_are_told_and_afterwards_all_goes_on() {
    let mut broker = OwnBroker::start().await;
    let harness = Harness::new(Setup::kafka(PASS).at(broker.address())).await;
    let mut host = harness.start().await;
    let (client, path) = (host.client.clone(), jobs_of(&harness.name));
    let before = client.submit(&harness.name, "text/plain", "before").await;
    client.until_over(&before).await;

    broker.down().await;
    let begun = Instant::now();
    let post = |key: &'static str| keyed(&client, &path, key, key);
    must_be_away(client.send(post("waited")).await);
    let first = begun.elapsed();
    // The first one still waits for the broker; the second one does not wait for the first for ever.
    let begun = Instant::now();
    must_be_away(client.send(post("waited")).await);
    let second = begun.elapsed();
    println!("503 after {first:?}, and after {second:?} for the same key");
    assert!(first < SOON && second < SOON, "503 only after {first:?} and {second:?}");
    let unwaited = id(client.send(keyed(&client, &format!("{path}?ack=none"), "unwaited", "unwaited")).await);
    // Nor is a job retried whose event cannot be read back.
    must_be_away(client.post(&format!("{}/retry", path_of(&before)), "text/plain", "").await);
    // Their records are there, and what they say is read as always.
    assert_eq!(listed(&client, &harness.name, "&status=accepted").await.len(), 2);
    let unchanged = client.job(&before).await;
    assert_eq!((&unchanged["status"], &unchanged["run"]), (&"completed".into(), &1.into()));

    broker.up().await;
    let waited = until_accepted(&client, || post("waited")).await;
    assert_eq!(until_accepted(&client, || post("unwaited")).await, unwaited);
    let after = id(client.send(post("after")).await);
    must_run_once(&harness, &client, &BTreeSet::from([before, waited, unwaited, after])).await;
    assert!(host.terminate().await.success(), "{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_broker_is_away_does_not_start() {
    let harness = Harness::new(Setup::kafka(PASS)).await;
    let file = harness.folder().join("pipeline.toml");
    let (broker, nobody) = (std::env::var("GRISTMILL_TEST_KAFKA").unwrap(), format!("127.0.0.1:{}", free_port()));
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace(&broker, &nobody)).unwrap();
    let begun = Instant::now();
    let run = gristmill().arg("run").arg(&file).arg("--host").arg(harness.host_file()).output();
    let ended = tokio::time::timeout(SOON, run).await.expect("it ends by itself").unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    println!("ended after {:?}", begun.elapsed());
    assert!(!ended.status.success() && said.contains(&format!("no Kafka broker answers at {nobody}")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_an_orderly_end_is_published() {
    all_is_published_at_the_end("at-least-once").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_by_a_producer_beside_that_of_transactions() {
    all_is_published_at_the_end("exactly-once").await;
}

async fn all_is_published_at_the_end(delivery: &str) {
    // Events are on their way for some seconds.
    let setup = Setup::kafka(PASS).properties("\"linger.ms\" = 3000");
    let harness = Harness::new(Setup { top: format!("delivery = {delivery:?}"), ..setup }).await;
    let mut host = harness.start().await;
    let (answered, mut counted) = watch::channel(0);
    let posts: Vec<JoinHandle<Option<String>>> =
        (0..MANY).map(|number| unwaited(&host, &harness.name, number, &answered)).collect();
    let reached = tokio::time::timeout(PATIENCE, counted.wait_for(|count| *count >= MANY / 3)).await;
    reached.expect("some are answered").unwrap();
    assert!(host.terminate().await.success(), "{}", host.last_words());
    let accepted: BTreeSet<String> = join_all(posts).await.into_iter().filter_map(Result::unwrap).collect();
    println!("{} of {MANY} were accepted", accepted.len());
    assert!(accepted.len() >= MANY / 3);
    let events = published(&harness).await;
    let lost: Vec<_> = accepted.difference(&events).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), accepted.len());

    let host = harness.start().await;
    must_run_once(&harness, &host.client, &listed(&host.client, &harness.name, "").await).await;
}

/// Submits one of many. Its job, if it was accepted before the host ended.
fn unwaited(host: &Host, pipeline: &str, number: usize, answered: &watch::Sender<usize>) -> JoinHandle<Option<String>> {
    let (client, path, answered) = (host.client.clone(), format!("{}?ack=none", jobs_of(pipeline)), answered.clone());
    tokio::spawn(async move {
        let key = format!("key-{number}");
        let answer = client.try_send(keyed(&client, &path, &key, &key)).await.ok()?;
        answered.send_modify(|count| *count += 1);
        (answer.status == 202).then(|| id(answer))
    })
}
