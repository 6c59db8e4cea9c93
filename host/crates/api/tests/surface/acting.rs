//! Jobs are cancelled, run again and told of once more.

use gristmill_core::model::{Ended, EventDigest, PayloadText, Phase, Run, Told};
use gristmill_core::ports::Delivery;
use serde_json::json;

use crate::fake::{Away, header};
use crate::served::{answer, problem, serve};

#[tokio::test]
async fn a_job_is_cancelled_until_it_is_over() {
    let served = serve().await;
    let job = served.submit("x").await;
    let cancel = || served.post(&format!("/v1/jobs/{job}/cancel")).send();
    assert_eq!(answer(cancel().await.unwrap(), 202).await["status"], "queued");
    answer(cancel().await.unwrap(), 202).await;
    assert!(served.fake.state().jobs[&job].cancel);
    served.fake.note(&job, Phase::Ended, 0, Some(Ended::Cancelled), Told::default());
    problem(cancel().await.unwrap(), 409, "wrong-state").await;
}

#[tokio::test]
async fn a_retry_is_a_new_run_with_the_same_event() {
    let served = serve().await;
    let post = served.post("/v1/pipelines/p/jobs?key=k").header("gristmill-attribute-case", "7");
    let accepted = answer(post.body("x".repeat(5_000)).send().await.unwrap(), 202).await;
    let job = gristmill_core::model::JobId::read(accepted["job_id"].as_str().unwrap()).unwrap();
    let retry = |query: &str| served.post(&format!("/v1/jobs/{job}/retry{query}")).send();
    problem(retry("").await.unwrap(), 409, "wrong-state").await;
    served.fake.fail(&job);
    let detail = problem(retry("?from_stage=none").await.unwrap(), 400, "bad-request").await;
    assert!(detail.contains("parse, analyse"), "{detail}");
    answer(retry("?from_stage=analyse").await.unwrap(), 202).await;
    let state = served.fake.state();
    let (record, first, event) = (&state.jobs[&job], &state.events[0], &state.events[1]);
    assert_eq!((record.run, record.from_stage.as_deref()), (Run(2), Some("analyse")));
    assert_eq!(record.standing.phase, Phase::Queued);
    assert_eq!(header(event, "gristmill-submitted"), Some(format!("{job};2")));
    let reference = header(event, "gristmill-payload").unwrap();
    assert_eq!(record.event, Some(EventDigest::of(Some(b"k"), PayloadText::Reference(&reference))));
    for name in ["gristmill-payload", "content-type", "gristmill-attribute-case"] {
        assert_eq!(header(event, name), header(first, name), "{name}");
    }
    let names: Vec<_> = event.headers.iter().map(|header| header.name.clone()).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(names.len(), distinct.len(), "{names:?}");
}

#[tokio::test]
async fn a_retry_with_a_body_has_that_as_its_input() {
    let served = serve().await;
    let job = served.submit("bad").await;
    served.fake.fail(&job);
    let edited = served.post(&format!("/v1/jobs/{job}/retry")).header("content-type", "text/plain").body("good");
    answer(edited.send().await.unwrap(), 202).await;
    let state = served.fake.state();
    assert_eq!(state.events[1].payload.as_deref(), Some(&b"good"[..]));
    assert_eq!(header(&state.events[1], "content-type").unwrap(), "text/plain");
    assert_eq!(state.jobs[&job].event, Some(EventDigest::of(None, PayloadText::Inline(b"good"))));
}

#[tokio::test]
async fn a_retry_whose_edited_input_was_not_published_gives_way_to_one_without() {
    let served = serve().await;
    let job = served.submit("first").await;
    served.fake.fail(&job);
    let retry = |body: &'static str| served.post(&format!("/v1/jobs/{job}/retry")).body(body).send();
    answer(retry("second").await.unwrap(), 202).await;
    served.fake.fail(&job);
    served.fake.state().away = Away::Broker;
    problem(retry("third").await.unwrap(), 503, "broker-unavailable").await;
    served.fake.state().away = Away::Nothing;
    answer(retry("").await.unwrap(), 202).await;
    let state = served.fake.state();
    let (record, event) = (&state.jobs[&job], state.events.last().unwrap());
    assert_eq!(event.payload.as_deref(), Some(&b"second"[..]), "what a host has taken last");
    assert_eq!(header(event, "gristmill-submitted"), Some(format!("{job};{}", record.run.0)));
    assert_eq!(record.event, Some(EventDigest::of(None, PayloadText::Inline(b"second"))));
    assert_eq!(record.standing.phase, Phase::Queued);
}

#[tokio::test]
async fn an_event_that_is_deleted_or_another_one_is_not_run_again() {
    let served = serve().await;
    let job = served.submit("x").await;
    served.fake.fail(&job);
    let retry = |body: &'static str| served.post(&format!("/v1/jobs/{job}/retry")).body(body).send();
    // The topic was created anew: there is an event at that place, and it is not ours.
    served.fake.state().events[0].payload = Some("other".into());
    problem(retry("").await.unwrap(), 410, "gone").await;
    served.fake.state().events.clear();
    problem(retry("").await.unwrap(), 410, "gone").await;
    assert_eq!(served.fake.state().jobs[&job].run, Run::FIRST, "nothing was written");
    answer(retry("x").await.unwrap(), 202).await;
}

#[tokio::test]
async fn many_are_counted_first_and_acted_on_when_that_is_said() {
    let served = serve().await;
    for failed in [true, true, false] {
        let job = served.submit("x").await;
        if failed {
            served.fake.fail(&job);
        }
    }
    let act = |body: serde_json::Value| served.post("/v1/jobs/actions").json(&body).send();
    let dry = answer(act(json!({ "action": "retry", "filter": { "pipeline": "p" } })).await.unwrap(), 200).await;
    assert_eq!((&dry["dry_run"], &dry["matched"], &dry["done"]), (&json!(true), &json!(2), &json!(0)));
    assert_eq!(served.fake.state().events.len(), 3);
    let all =
        json!({ "action": "retry", "filter": { "pipeline": "p", "status": ["failed", "queued"] }, "dry_run": false });
    let wet = answer(act(all).await.unwrap(), 200).await;
    assert_eq!((&wet["done"], &wet["failed"]), (&json!(2), &json!(1)));
    assert!(wet["failures"][0]["detail"].as_str().unwrap().contains("not over yet"));
    let cancel = json!({ "action": "cancel", "filter": { "pipeline": "p" }, "dry_run": false });
    assert_eq!(answer(act(cancel).await.unwrap(), 200).await["done"], 3);
    for wrong in [
        json!({ "action": "retry", "filter": {} }),
        json!({ "action": "delete", "filter": { "pipeline": "p" } }),
        json!({ "action": "retry", "filter": { "pipeline": "p" }, "most": 0 }),
    ] {
        problem(act(wrong).await.unwrap(), 400, "bad-request").await;
    }
    let reader = served.post("/v1/jobs/actions").header("authorization", "Bearer ann:jobs.write");
    let sent = reader.json(&json!({ "action": "retry", "filter": { "pipeline": "p" } })).send().await.unwrap();
    assert!(problem(sent, 403, "missing-scope").await.contains("dlq:write"));
}

#[tokio::test]
async fn a_webhook_is_sent_again_if_there_is_one() {
    let served = serve().await;
    let job = served.submit("x").await;
    let again = || served.post(&format!("/v1/jobs/{job}/webhooks/redeliver")).send();
    problem(again().await.unwrap(), 409, "wrong-state").await;
    let delivery =
        Delivery { job: job.clone(), run: Run::FIRST, url: "https://w".into(), tries: 9, last: None, due: None };
    served.fake.state().deliveries.push(delivery);
    answer(again().await.unwrap(), 202).await;
    assert!(served.fake.state().deliveries[0].due.is_some());
}
