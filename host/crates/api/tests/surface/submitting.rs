//! Bodies become jobs: once, as they are, and with an answer that is true.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream;
use gristmill_core::model::{Ended, EventDigest, JobId, PayloadText, Phase, Run, Told};
use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::fake::{Away, header};
use crate::served::{PATIENCE, answer, digest, problem, serve, serve_with, until};

#[tokio::test]
async fn a_body_becomes_an_event_that_its_record_proves() {
    let served = serve().await;
    let request = served.post("/v1/pipelines/p/jobs?key=k&webhook=https://w.example/");
    let request = request.header("content-type", "application/pdf").header("Gristmill-Attribute-Case", "7/b");
    let accepted =
        request.header("authorization", "Bearer ann:jobs.write,jobs.read").body("%PDF").send().await.unwrap();
    let headers = accepted.headers().clone();
    let accepted = answer(accepted, 202).await;
    let id = accepted["job_id"].as_str().unwrap();
    assert_eq!(headers["location"], accepted["status_url"].as_str().unwrap());
    assert_eq!((&headers["retry-after"], &accepted["status"]), (&"1".parse().unwrap(), &json!("queued")));
    let job = JobId::read(id).unwrap();
    let state = served.fake.state();
    let (record, event) = (&state.jobs[&job], &state.events[0]);
    assert_eq!(record.event, Some(EventDigest::of(Some(b"k"), PayloadText::Inline(b"%PDF"))));
    assert_eq!(record.owner.as_ref().unwrap().subject, "ann");
    assert_eq!(record.webhook.as_deref(), Some("https://w.example/"));
    assert_eq!((event.key.as_deref(), event.payload.as_deref()), (Some(&b"k"[..]), Some(&b"%PDF"[..])));
    for (name, value) in [
        ("gristmill-submitted", format!("{id};1")),
        ("content-type", "application/pdf".into()),
        ("gristmill-attribute-case", "7/b".into()),
        ("gristmill-attribute-sys.tenant", "t".into()),
        ("gristmill-attribute-sys.subject", "ann".into()),
    ] {
        assert_eq!(header(event, name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_large_body_becomes_an_object_and_a_reference() {
    let served = serve().await;
    let accepted = served.post("/v1/pipelines/p/jobs").body("x".repeat(5_000)).send().await.unwrap();
    let accepted = answer(accepted, 202).await;
    let job = JobId::read(accepted["job_id"].as_str().unwrap()).unwrap();
    let state = served.fake.state();
    let reference = header(&state.events[0], "gristmill-payload").unwrap();
    assert!(reference.ends_with(&format!(";sha256={};size=5000", digest("x".repeat(5_000).as_bytes()))), "{reference}");
    assert_eq!(state.events[0].payload, None);
    assert_eq!(state.jobs[&job].event, Some(EventDigest::of(None, PayloadText::Reference(&reference))));
}

#[tokio::test]
async fn one_key_is_one_job_however_often_and_at_the_same_time_it_is_sent() {
    let served = serve().await;
    served.fake.state().slow = Duration::from_millis(50);
    let post = |body: String| served.post("/v1/pipelines/p/jobs").header("idempotency-key", "k").body(body).send();
    for (size, events) in [(10, 1), (5_000, 1)] {
        *served.fake.state() = crate::fake::State::default();
        let answers = join_all((0..50).map(|_| post("x".repeat(size)))).await;
        let mut ids = std::collections::BTreeSet::new();
        for accepted in answers {
            ids.insert(answer(accepted.unwrap(), 202).await["job_id"].as_str().unwrap().to_owned());
        }
        let state = served.fake.state();
        assert_eq!((ids.len(), state.jobs.len(), state.events.len()), (1, 1, events));
    }
    let detail = problem(post("y".into()).await.unwrap(), 422, "idempotency-key-reused").await;
    assert!(detail.contains("another key"), "{detail}");
}

#[tokio::test]
async fn a_job_that_the_broker_did_not_take_is_found_by_its_key_and_published_as_it_was() {
    let served = serve().await;
    let post = || served.post("/v1/pipelines/p/jobs").header("idempotency-key", "k").body("x".repeat(5_000)).send();
    served.fake.state().away = Away::Broker;
    let away = post().await.unwrap();
    assert_eq!(away.headers()["retry-after"], "5");
    assert!(problem(away, 503, "broker-unavailable").await.contains("Idempotency-Key"));
    assert_eq!(served.fake.state().jobs.len(), 1);
    served.fake.state().away = Away::Nothing;
    answer(post().await.unwrap(), 202).await;
    let state = served.fake.state();
    let (record, event) = (state.jobs.values().next().unwrap(), &state.events[0]);
    let reference = header(event, "gristmill-payload").unwrap();
    assert_eq!(record.event, Some(EventDigest::of(None, PayloadText::Reference(&reference))), "its record proves it");
    assert_eq!((record.standing.phase, state.jobs.len(), state.events.len()), (Phase::Queued, 1, 1));
    assert_eq!(header(event, "gristmill-submitted"), Some(format!("{};1", record.job)));
}

#[tokio::test]
async fn who_does_not_wait_for_the_broker_is_told_accepted() {
    let served = serve().await;
    served.fake.state().slow = Duration::from_secs(1);
    let accepted = served.post("/v1/pipelines/p/jobs?ack=none").body("x").send().await.unwrap();
    assert_eq!(answer(accepted, 202).await["status"], "accepted");
    until("the event is published", || !served.fake.state().events.is_empty()).await;
}

#[tokio::test]
async fn what_waits_for_the_broker_is_bounded_also_if_nobody_waits_with_it() {
    let served = serve().await;
    let job = served.submit("x").await;
    served.fake.fail(&job);
    served.fake.state().slow = PATIENCE;
    let batch = json!({ "jobs": vec![json!({ "text": "x".repeat(900) }); 1_000] });
    let mut batches = 0;
    let refused = loop {
        let answered = served.post("/v1/pipelines/p/batches?ack=none").json(&batch).send().await.unwrap();
        if answered.status() != 202 {
            break answered;
        }
        batches += 1;
        assert!(batches < 100, "more than 100 MiB wait");
    };
    assert!(batches > 20, "only {batches} batches of 1 MiB wait");
    assert!(refused.headers().contains_key("retry-after"));
    let detail = problem(refused, 503, "broker-unavailable").await;
    assert!(detail.contains("nothing is accepted"), "{detail}");
    assert_eq!(served.fake.state().jobs.len(), 1 + batches * 1_000);
    // Those of further runs wait in the same room.
    served.fake.state().inline_max = Some(4 << 20);
    let edited = "x".repeat(2 << 20);
    let retry = served.post(&format!("/v1/jobs/{job}/retry")).body(edited).send().await.unwrap();
    problem(retry, 503, "broker-unavailable").await;
    assert_eq!(served.fake.state().jobs[&job].run, Run::FIRST, "nothing is written");
}

#[tokio::test]
async fn a_repeat_is_the_event_of_its_job_also_if_its_payload_is_kept_elsewhere_now() {
    for (first, now) in [(1_000, 10), (10, 1_000)] {
        let served = serve().await;
        let post = || served.post("/v1/pipelines/p/jobs").header("idempotency-key", "k").body("x".repeat(500)).send();
        *served.fake.state() = crate::fake::State { inline_max: Some(first), away: Away::Broker, ..Default::default() };
        problem(post().await.unwrap(), 503, "broker-unavailable").await;
        (served.fake.state().inline_max, served.fake.state().away) = (Some(now), Away::Nothing);
        answer(post().await.unwrap(), 202).await;
        let state = served.fake.state();
        let (record, event) = (state.jobs.values().next().unwrap(), &state.events[0]);
        let reference = header(event, "gristmill-payload");
        assert_eq!(reference.is_some(), now < 500);
        let payload = match (&reference, &event.payload) {
            (Some(reference), None) => {
                let stored: gristmill_core::model::StoredPayload = reference.parse().unwrap();
                assert!(state.objects.contains_key(stored.name.as_str()), "{reference} is nowhere");
                PayloadText::Reference(reference)
            }
            (None, Some(bytes)) => PayloadText::Inline(bytes),
            both => panic!("{both:?}"),
        };
        assert_eq!(record.event, Some(EventDigest::of(None, payload)), "its record proves it");
    }
}

#[tokio::test]
async fn a_repeated_batch_of_which_a_job_is_deleted_is_still_that_batch() {
    let served = serve().await;
    let batch = json!({ "jobs": [{ "text": "one" }, { "text": "two" }, { "text": "three" }] });
    let post = || served.post("/v1/pipelines/p/batches").header("idempotency-key", "k").json(&batch).send();
    let first = answer(post().await.unwrap(), 202).await;
    let gone = JobId::read(first["jobs"][0]["job_id"].as_str().unwrap()).unwrap();
    {
        let mut state = served.fake.state();
        state.jobs.remove(&gone);
        state.keys.retain(|_, (job, _)| *job != gone);
    }
    let again = answer(post().await.unwrap(), 202).await;
    assert_eq!(again["batch_id"], first["batch_id"]);
    let ids = |batch: &serde_json::Value| -> Vec<_> {
        batch["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].clone()).collect()
    };
    assert_eq!(ids(&again), ids(&first)[1..]);
    assert_eq!(served.fake.state().events.len(), 3, "nothing is done again");
}

#[tokio::test]
async fn a_client_that_leaves_leaves_no_half_job() {
    let served = serve().await;
    served.fake.state().slow = Duration::from_millis(300);
    let left = served.post("/v1/pipelines/p/jobs").body("x").timeout(Duration::from_millis(100)).send().await;
    assert!(left.is_err());
    let is_whole = || {
        let state = served.fake.state();
        state.jobs.is_empty() || state.jobs.values().all(|record| record.standing.phase == Phase::Queued)
    };
    until("the job is published", is_whole).await;
}

#[tokio::test]
async fn a_short_job_is_answered_by_its_end() {
    let served = serve().await;
    let waiting = tokio::spawn(served.post("/v1/pipelines/p/jobs?wait=60s").body("x").send());
    until("the job is there", || !served.fake.state().events.is_empty()).await;
    let job = served.fake.state().jobs.keys().next().unwrap().clone();
    served.fake.note(&job, Phase::Ended, 0, Some(Ended::Completed), Told::default());
    let ended = answer(waiting.await.unwrap().unwrap(), 200).await;
    assert_eq!((&ended["status"], &ended["progress"]), (&json!("completed"), &json!(100)));
    let soon = served.post("/v1/pipelines/p/jobs?wait=10ms").body("x").send().await.unwrap();
    answer(soon, 202).await;
}

#[tokio::test]
async fn a_form_with_a_file_is_a_job_and_with_several_a_batch() {
    let served = serve().await;
    let file = |name: &str, body: &str| Part::text(body.to_owned()).file_name(name.to_owned());
    let form = Form::new().part("a", file("../../etc/passwd", "one")).text("case", "7");
    let accepted = served.post("/v1/pipelines/p/jobs").multipart(form).send().await.unwrap();
    assert!(answer(accepted, 202).await["job_id"].is_string());
    let attributes: Vec<_> = {
        let state = served.fake.state();
        let record = state.jobs.values().next().unwrap();
        record.attributes.iter().map(|one| (one.name.clone(), one.value.clone())).collect()
    };
    let expected = [("case", "7"), ("filename", "../../etc/passwd")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(attributes, expected, "a name is an attribute, and never a path");
    let form = || Form::new().part("a", file("a", "one")).part("b", file("b", &"x".repeat(5_000))).text("case", "8");
    let post = || served.post("/v1/pipelines/p/jobs").header("idempotency-key", "k").multipart(form()).send();
    let accepted = answer(post().await.unwrap(), 202).await;
    assert_eq!(accepted["jobs"].as_array().unwrap().len(), 2);
    let again = answer(post().await.unwrap(), 202).await;
    assert_eq!(
        (&again["batch_id"], &again["jobs"][1]["job_id"]),
        (&accepted["batch_id"], &accepted["jobs"][1]["job_id"])
    );
    let batch = answer(served.get(accepted["status_url"].as_str().unwrap()).send().await.unwrap(), 200).await;
    assert_eq!((&batch["total"], &batch["by_status"]["queued"]), (&json!(2), &json!(2)));
    let objects: Vec<_> = served.fake.state().objects.keys().cloned().collect();
    assert!(objects.iter().all(|name| !name.contains("..")), "{objects:?}");
    let empty = served.post("/v1/pipelines/p/jobs").multipart(Form::new().text("case", "7")).send().await.unwrap();
    assert!(problem(empty, 400, "bad-request").await.contains("no file"));
}

#[tokio::test]
async fn a_batch_of_json_is_accepted_as_a_whole_or_not_at_all() {
    let served = serve().await;
    let post = |body: serde_json::Value| served.post("/v1/pipelines/p/batches").json(&body).send();
    let good = json!({ "attributes": { "day": "1" }, "jobs": [{ "json": [1] }, { "text": "two", "key": "k" }] });
    let accepted = answer(post(good).await.unwrap(), 202).await;
    assert_eq!(accepted["jobs"].as_array().unwrap().len(), 2);
    {
        let state = served.fake.state();
        assert_eq!(state.events[0].payload.as_deref(), Some(&b"[1]"[..]));
        assert_eq!(header(&state.events[1], "content-type").unwrap(), "text/plain; charset=utf-8");
        assert_eq!(header(&state.events[1], "gristmill-attribute-day").unwrap(), "1");
    }
    for (wrong, expected) in [
        (json!({ "jobs": [] }), "1 to 1000"),
        (json!({ "jobs": [{ "json": 1 }, {}] }), "jobs[1]"),
        (json!({ "jobs": [{ "json": 1, "attributes": { "sys.x": "1" } }] }), "jobs[0]"),
        (json!({ "job": [] }), "job"),
    ] {
        let detail = problem(post(wrong).await.unwrap(), 400, "bad-request").await;
        assert!(detail.contains(expected), "{detail}");
    }
    assert_eq!(served.fake.state().jobs.len(), 2);
    let text = served.post("/v1/pipelines/p/batches").body("{}").send().await.unwrap();
    problem(text, 415, "unsupported-media-type").await;
}

#[tokio::test]
async fn what_a_client_may_not_say_is_refused_before_anything_is_written() {
    let served = serve().await;
    for (query, name, value, status, kind) in [
        ("?ack=maybe", "x", "1", 400, "bad-request"),
        ("?unknown=1", "x", "1", 400, "bad-request"),
        ("?wait=2h", "x", "1", 400, "bad-request"),
        ("?key=a%0Ab", "x", "1", 400, "bad-request"),
        ("?webhook=ftp://w", "x", "1", 400, "bad-request"),
        ("", "gristmill-attribute-sys.tenant", "evil", 400, "bad-request"),
        ("", "idempotency-key", "a b", 400, "bad-request"),
        ("", "content-type", "nonsense", 400, "bad-request"),
        ("", "content-encoding", "gzip", 415, "unsupported-media-type"),
        ("", "authorization", "Bearer ann:jobs.read", 403, "missing-scope"),
        ("", "authorization", "Basic abc", 401, "unauthenticated"),
        ("", "authorization", "Bearer later:", 503, "keys-unavailable"),
        ("", "origin", "https://evil.example", 403, "foreign-origin"),
        ("", "host", "evil.example", 403, "foreign-origin"),
    ] {
        let request = served.post(&format!("/v1/pipelines/p/jobs{query}")).header(name, value).body("x");
        problem(request.send().await.unwrap(), status, kind).await;
    }
    assert!(served.fake.state().jobs.is_empty() && served.fake.state().events.is_empty());
    let elsewhere = served.post("/v1/pipelines/q/jobs").body("x").send().await.unwrap();
    assert!(problem(elsewhere, 404, "not-found").await.contains("those that take jobs are: p"));
    served.fake.state().away = Away::Pipeline;
    let absent = served.post("/v1/pipelines/p/jobs").body("x").send().await.unwrap();
    problem(absent, 503, "not-running").await;
    served.fake.state().away = Away::Store;
    let broken = served.post("/v1/pipelines/p/jobs").body("x").send().await.unwrap();
    problem(broken, 503, "store-unavailable").await;
}

#[tokio::test]
async fn a_body_above_the_bound_is_refused_unread_and_one_that_grows_is_cut() {
    let served = serve_with("").await;
    let mut headers = HeaderMap::new();
    headers.insert("content-length", "2147483649".parse().unwrap());
    let small = serve_with("anyone = true").await;
    // Its length is known: nothing of the body is sent.
    let long = small
        .post("/v1/pipelines/p/jobs")
        .headers(headers)
        .body(reqwest::Body::wrap_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>()));
    problem(long.send().await.unwrap(), 413, "body-too-large").await;
    let growing = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1 << 20]));
    let sent = served.post("/v1/pipelines/p/batches").header("content-type", "application/json");
    let sent = sent.body(reqwest::Body::wrap_stream(growing)).send().await;
    // A client that still writes may see the connection closed before the answer.
    if let Ok(sent) = sent {
        problem(sent, 413, "body-too-large").await;
    }
    assert!(served.fake.state().jobs.is_empty());
}
