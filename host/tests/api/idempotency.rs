//! One idempotency key is one job, however many send it at the same time, to whichever host, and whoever is killed meanwhile.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gristmill_model_server::{ModelServer, Script};
use gristmill_test_servers::Postgres;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::abuse_owners::{SECRET, token};
use crate::client::{Answer, Client, PATIENCE};
use crate::harness::{Harness, Host, PASS, Setup, header};

/// How many send the same request.
const AT_ONCE: usize = 50;
/// How many answers have come when the host is killed, a new key each time. With none, its job is only written down.
const KILLS: [usize; 3] = [0, 1, 10];
/// How often it is killed at most, until a kill was in the middle.
const MOST_KILLS: usize = 12;

/// A model that answers once the gate is open: no job is over before.
struct Gate {
    server: ModelServer,
    open: watch::Sender<bool>,
}

impl Gate {
    async fn closed() -> Self {
        let (open, opened) = watch::channel(false);
        let script = Script::new().otherwise(move |_| {
            let mut opened = opened.clone();
            async move {
                // An error would be that the test is over.
                let _ = opened.wait_for(|open| *open).await;
                "answered".to_owned()
            }
        });
        Self { server: ModelServer::start(script).await, open }
    }

    /// A stage that asks the model.
    fn stages(&self) -> String {
        let url = self.server.base_url();
        format!(
            "[[stage]]\nname = \"ask\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\n[models.m]\n\
             targets = [{{ provider = \"openai\", model = \"x\", base_url = {url:?}, timeout = \"300s\" }}]\n"
        )
    }

    fn open(&self) {
        self.open.send(true).unwrap();
    }
}

/// A submission with an idempotency key.
pub(crate) fn keyed(client: &Client, path: &str, key: &str, body: &str) -> RequestBuilder {
    let request = client.request(Method::POST, path).header("Idempotency-Key", key);
    request.header(CONTENT_TYPE, "text/plain").body(body.to_owned())
}

pub(crate) fn jobs_of(pipeline: &str) -> String {
    format!("/v1/pipelines/{pipeline}/jobs")
}

/// The ids of all jobs of a pipeline, or of those that a further condition takes.
pub(crate) async fn listed(client: &Client, pipeline: &str, and: &str) -> BTreeSet<String> {
    let list = client.get(&format!("/v1/jobs?most=1000&pipeline={pipeline}{and}")).await.is(200).json();
    list["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

/// Clients that send the same request at the same time, and each again until somebody answers it.
struct Crowd {
    hosts: watch::Sender<Vec<Client>>,
    answered: watch::Sender<usize>,
    clients: Vec<JoinHandle<Told>>,
}

/// What one of them was told.
struct Told {
    job: String,
    /// How often nobody answered before, or could not yet.
    in_vain: usize,
}

impl Crowd {
    fn gather(hosts: &[&Host], pipeline: &str, key: &str, body: &str) -> Self {
        let (hosts, _) = watch::channel(clients_of(hosts));
        let (answered, _) = watch::channel(0);
        let clients = (0..AT_ONCE).map(|number| {
            let (hosts, answered) = (hosts.subscribe(), answered.clone());
            let (path, key, body) = (jobs_of(pipeline), key.to_owned(), body.to_owned());
            tokio::spawn(async move {
                let told = insist(number, hosts, |client| keyed(client, &path, &key, &body)).await;
                answered.send_modify(|count| *count += 1);
                told
            })
        });
        let clients = clients.collect();
        Self { hosts, answered, clients }
    }

    /// Waits until so many are answered.
    async fn until_answered(&self, count: usize) {
        let mut answered = self.answered.subscribe();
        let reached = tokio::time::timeout(PATIENCE, answered.wait_for(|now| *now >= count)).await;
        reached.expect("the first are answered").unwrap();
    }

    /// From now on, these hosts are asked.
    fn turn_to(&self, hosts: &[&Host]) {
        self.hosts.send_replace(clients_of(hosts));
    }

    /// What all of them were told: the job, and how many knew it at once and how many had to ask again.
    async fn told(self) -> (String, usize, usize) {
        let told: Vec<Told> = join_all(self.clients).await.into_iter().map(Result::unwrap).collect();
        let jobs: BTreeSet<&str> = told.iter().map(|told| told.job.as_str()).collect();
        assert_eq!(jobs.len(), 1, "one key is one job: {jobs:?}");
        let again = told.iter().filter(|told| told.in_vain > 0).count();
        (told[0].job.clone(), AT_ONCE - again, again)
    }
}

fn clients_of(hosts: &[&Host]) -> Vec<Client> {
    hosts.iter().map(|host| host.client.clone()).collect()
}

/// Sends a request to the hosts in turn until one accepts it.
async fn insist(
    number: usize,
    hosts: watch::Receiver<Vec<Client>>,
    request: impl Fn(&Client) -> RequestBuilder,
) -> Told {
    let (deadline, mut in_vain) = (Instant::now() + PATIENCE, 0);
    loop {
        let client = {
            let hosts = hosts.borrow();
            hosts[(number + in_vain) % hosts.len()].clone()
        };
        match client.try_send(request(&client)).await {
            Ok(answer) if answer.status == 202 => {
                return Told { job: answer.json()["job_id"].as_str().unwrap().to_owned(), in_vain };
            }
            // Starting or stopping.
            Ok(answer) => drop(answer.is(503)),
            Err(_) => {}
        }
        in_vain += 1;
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: client {number} is answered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until so many jobs are written down.
pub(crate) async fn until_listed(client: &Client, pipeline: &str, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while listed(client, pipeline, "").await.len() < count {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {count} jobs are written down");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Each of these jobs has an event, and no other job has; nothing has come out of any yet.
async fn must_have_events_of(harness: &Harness, jobs: &BTreeSet<String>) -> usize {
    let events = harness.records("in").await;
    let named: BTreeSet<String> = events.iter().map(|event| header(event, "gristmill-submitted")).collect();
    assert_eq!(named, jobs.iter().map(|job| format!("{job};1")).collect());
    assert!(harness.records("out").await.is_empty(), "the gate is closed");
    events.len()
}

/// Each of these jobs ends with one output, and there are no others.
pub(crate) async fn must_run_once(harness: &Harness, client: &Client, jobs: &BTreeSet<String>) {
    for job in jobs {
        let over = client.until_over(job).await;
        assert_eq!((&over["status"], &over["run"], &over["outputs"]), (&"completed".into(), &1.into(), &1.into()));
    }
    // Also what was published twice.
    harness.until_settled().await;
    let outputs = harness.records("out").await;
    let of: Vec<String> = outputs.iter().map(|output| header(output, "gristmill-job-id")).collect();
    assert_eq!((of.len(), &of.into_iter().collect::<BTreeSet<_>>()), (jobs.len(), jobs));
    assert!(harness.records("dead").await.is_empty());
    assert_eq!(&listed(client, &harness.name, "").await, jobs);
}

/// The key with another body is a mistake of the client's, and changes nothing.
async fn must_refuse(answer: Answer) {
    let problem = answer.is(422).json();
    assert_eq!(problem["type"], "urn:gristmill:problem:idempotency-key-reused", "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_with_one_key_and_a_kill_in_the_middle_are_one_job() {
    let gate = Gate::closed().await;
    let harness = Harness::new(Setup::kafka(gate.stages())).await;
    let mut host = harness.start().await;
    let (mut jobs, mut kills, mut middle) = (BTreeSet::new(), 0, 0);
    while kills < KILLS.len() || middle == 0 {
        assert!(kills < MOST_KILLS, "no kill was in the middle");
        let (key, body) = (format!("key-{kills}"), format!("ask {kills}"));
        let crowd = Crowd::gather(&[&host], &harness.name, &key, &body);
        match KILLS[kills % KILLS.len()] {
            0 => until_listed(&host.client, &harness.name, kills + 1).await,
            answers => crowd.until_answered(answers).await,
        }
        host.kill().await;
        host = harness.start().await;
        crowd.turn_to(&[&host]);
        let (job, at_once, again) = crowd.told().await;
        println!("kill {kills}: {at_once} were answered at once, {again} after the next start");
        middle += usize::from(at_once > 0 && again > 0);
        kills += 1;
        assert!(jobs.insert(job), "another key is another job");
        assert_eq!(listed(&host.client, &harness.name, "").await, jobs);
    }
    let events = must_have_events_of(&harness, &jobs).await;
    println!("{events} events of {} jobs", jobs.len());
    for number in 0..kills {
        let path = jobs_of(&harness.name);
        let client = &host.client;
        must_refuse(client.send(keyed(client, &path, &format!("key-{number}"), "ask for something else")).await).await;
    }
    assert_eq!(listed(&host.client, &harness.name, "").await, jobs, "what is refused is not written down");
    assert_eq!(must_have_events_of(&harness, &jobs).await, events, "nor published");
    // Whoever is killed between the acknowledgement and the note of it publishes twice.
    harness.send_again(harness.records("in").await).await;
    assert_eq!(must_have_events_of(&harness, &jobs).await, 2 * events);
    gate.open();
    must_run_once(&harness, &host.client, &jobs).await;
    assert!(host.terminate().await.success(), "{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_one_job_on_two_hosts_of_which_one_is_killed_and_another_one_in_another_pipeline() {
    let gate = Gate::closed().await;
    let store = Postgres::shared().await.database().await;
    let harness = Harness::new(Setup::kafka(gate.stages()).store(&store)).await;
    let mut first = harness.start().await;
    let second = harness.start().await;
    let crowd = Crowd::gather(&[&first, &second], &harness.name, "key", "ask");
    crowd.until_answered(1).await;
    first.kill().await;
    crowd.turn_to(&[&second]);
    let (job, at_once, again) = crowd.told().await;
    println!("{at_once} were answered at once, {again} by the other host");
    let jobs = BTreeSet::from([job]);
    assert_eq!(listed(&second.client, &harness.name, "").await, jobs);
    println!("{} events of one job", must_have_events_of(&harness, &jobs).await);

    // The same store, and the same key: of another pipeline it is another one.
    let other = Harness::new(Setup::kafka(gate.stages()).store(&store)).await;
    let beside = other.start().await;
    let answer = beside.client.send(keyed(&beside.client, &jobs_of(&other.name), "key", "ask another")).await.is(202);
    let others = BTreeSet::from([answer.json()["job_id"].as_str().unwrap().to_owned()]);
    must_refuse(second.client.send(keyed(&second.client, &jobs_of(&harness.name), "key", "ask another")).await).await;
    gate.open();
    must_run_once(&other, &beside.client, &others).await;
    must_run_once(&harness, &second.client, &jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_submitted_once_and_as_a_whole() {
    const JOBS: usize = 30;
    let gate = Gate::closed().await;
    let harness = Harness::new(Setup::kafka(gate.stages())).await;
    let mut host = harness.start().await;
    let texts: Vec<_> = (0..JOBS).map(|number| serde_json::json!({ "text": format!("ask {number}") })).collect();
    let body = serde_json::json!({ "jobs": texts }).to_string();
    let path = format!("/v1/pipelines/{}/batches", harness.name);
    let post = |client: &Client, body: &str| {
        let request = client.request(Method::POST, &path).header("Idempotency-Key", "a-batch");
        request.header(CONTENT_TYPE, "application/json").body(body.to_owned())
    };
    let first = {
        let (client, request) = (host.client.clone(), post(&host.client, &body));
        tokio::spawn(async move { client.try_send(request).await })
    };
    until_listed(&host.client, &harness.name, 1).await;
    host.kill().await;
    let first = first.await.unwrap();
    host = harness.start().await;
    let jobs = listed(&host.client, &harness.name, "").await;
    assert_eq!(jobs.len(), JOBS, "all of them are written down, or none");
    let again = host.client.send(post(&host.client, &body)).await.is(202).json();
    let told: BTreeSet<String> =
        again["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, jobs);
    if let Ok(first) = first {
        assert_eq!(first.is(202).json()["batch_id"], again["batch_id"]);
    }
    // One job less is another request.
    let less = serde_json::json!({ "jobs": texts[1..] }).to_string();
    must_refuse(host.client.send(post(&host.client, &less)).await).await;
    assert_eq!(listed(&host.client, &harness.name, "").await, jobs);
    must_have_events_of(&harness, &jobs).await;
    gate.open();
    must_run_once(&harness, &host.client, &jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_of_two_owners_is_two_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let harness = Harness::new(Setup::embedded(PASS).secret(folder.path(), SECRET)).await;
    let host = harness.start().await;
    let mut jobs = BTreeSet::new();
    for (subject, body) in [("ann", "of Ann"), ("bob", "of Bob")] {
        let client = host.client.with_token(&token(subject, "jobs:read jobs:write"));
        harness.until_open(&client).await;
        for _ in 0..2 {
            let answer = client.send(keyed(&client, &jobs_of(&harness.name), "key", body)).await.is(202).json();
            jobs.insert(answer["job_id"].as_str().unwrap().to_owned());
        }
        must_refuse(client.send(keyed(&client, &jobs_of(&harness.name), "key", "of nobody")).await).await;
        assert_eq!(listed(&client, &harness.name, "").await.len(), 1);
    }
    assert_eq!(jobs.len(), 2);
}
