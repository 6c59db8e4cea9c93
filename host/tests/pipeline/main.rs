//! Whole pipelines: the real binary between the topics of a real broker, with an HTTP server as the model.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contracts;
mod fate;
mod harness;
mod host;

use std::collections::BTreeMap;

use gristmill_model_server::{Behaviour, ModelServer, Script};
use harness::{Harness, by_job, gristmill, header, jobs, text};

/// Three stages, the second of which asks a model.
fn enriching(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"sanitize\"\nmodule = \"builtin:sanitize\"\n\
         [[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\n\
         config = {{ model = \"m\", tasks = [\"summary\"], fields = [\"/body\"] }}\n\
         [[stage]]\nname = \"validate\"\nmodule = \"builtin:validate\"\nconfig = {{ require = [\"/n\", \"/ai_enrichment/summary\"] }}\n\
         {}",
        model(server)
    )
}

fn model(server: &ModelServer) -> String {
    format!(
        "[models.m]\nmax_concurrent = 64\ntargets = [{{ provider = \"openai\", model = \"x\", base_url = {:?}, timeout = \"2s\" }}]\n",
        server.base_url()
    )
}

/// One stage that does as its items say.
fn obedient(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"obey\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\nlimits = {{ cpu = \"300ms\" }}\n{}",
        model(server)
    )
}

fn event(number: usize) -> (&'static str, Option<String>) {
    let payload = match number % 100 {
        13 => format!("{{\"n\": {number}, \"body\": "),
        _ => format!("{{\"n\": {number}, \"body\": \"write to user{number}@example.com\"}}"),
    };
    ("application/json", Some(payload))
}

fn summaries() -> Script {
    Script::new().when("", [Behaviour::answer("{\"summary\": \"someone wants mail\"}")])
}

/// Every event is in the sink or, if poisoned, in the dead letters, at least once.
fn assert_all_there(events: usize, out: &[gristmill_core::model::Event], dead: &[gristmill_core::model::Event]) {
    let mut numbers: Vec<usize> = out
        .iter()
        .map(|record| {
            let value: serde_json::Value = serde_json::from_str(&text(record)).unwrap();
            assert_eq!(value["ai_enrichment"]["summary"], "someone wants mail");
            assert_eq!(value["body"], "write to [EMAIL]");
            usize::try_from(value["n"].as_u64().unwrap()).unwrap()
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let good: Vec<usize> = (0..events).filter(|number| number % 100 != 13).collect();
    assert_eq!(numbers.len(), good.len(), "events are missing in the sink");
    assert_eq!(numbers, good);
    assert_eq!(jobs(dead).len(), events - good.len(), "exactly the poisoned events are dead letters");
    for letter in dead {
        assert_eq!(header(letter, "failure_reason"), "invalid-json");
        assert_eq!(header(letter, "gristmill-stage"), "sanitize");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_end_in_the_sink_or_the_dead_letters() {
    let server = ModelServer::start(summaries()).await;
    let harness = Harness::new(&enriching(&server), 6).await;
    harness.send((0..10_000).map(event)).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let (out, dead) = (harness.records("out").await, harness.records("dead").await);
    assert_eq!(out.len(), 9_900, "each exactly once when nothing fails");
    assert_eq!(dead.len(), 100);
    assert_all_there(10_000, &out, &dead);
    assert_eq!(server.paid(), 9_900, "each answer is paid for once");
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_host_finishes_what_it_began_and_the_next_one_goes_on() {
    let server = ModelServer::start(summaries()).await;
    let harness = Harness::new(&enriching(&server), 6).await;
    harness.send((0..3_000).map(event)).await;
    let mut host = harness.start();
    harness.until_settled(500, &mut host).await;
    assert_eq!(host.terminate().await, Some(0));
    let settled = harness.settled().await;
    let done = harness.records("out").await.len() + harness.records("dead").await.len();
    assert_eq!(i64::try_from(done).unwrap(), settled, "what was written is committed, nothing else");
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let (out, dead) = (harness.records("out").await, harness.records("dead").await);
    assert_eq!(out.len() + dead.len(), 3_000, "a clean stop repeats nothing");
    assert_all_there(3_000, &out, &dead);
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_loses_nothing_and_repeats_are_known_by_job_id() {
    let server = ModelServer::start(summaries()).await;
    let harness = Harness::new(&enriching(&server), 6).await;
    harness.send((0..3_000).map(event)).await;
    let mut host = harness.start();
    harness.until_settled(500, &mut host).await;
    host.kill().await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let (out, dead) = (harness.records("out").await, harness.records("dead").await);
    assert_all_there(3_000, &out, &dead);
    let distinct = jobs(&out).len() + jobs(&dead).len();
    assert_eq!(distinct, 3_000, "repeats have the job id of the first");
    for (job, times) in by_job(&out) {
        assert!(times <= 2, "{job} was written {times} times by two hosts");
    }
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_server_does_wrong_has_the_outcome_that_was_promised() {
    let busy = Behaviour::rate_limited("1");
    let refused = Behaviour::error(401, "invalid_api_key", "who are you");
    let broken = Behaviour::error(500, "server_error", "oops");
    let script = Script::new()
        .when("limited", [busy.clone(), busy.clone(), busy.clone(), busy, Behaviour::answer("after a while")])
        .when("shaky", [broken.clone(), Behaviour::answer("the second time")])
        .when("down", [broken])
        .when("malformed", [Behaviour::error(400, "invalid_request_error", "no such thing")])
        .when("key", [refused.clone(), refused, Behaviour::answer("once the key was mended")])
        .when("garbage", [Behaviour::ok("text/html", "<html>hello</html>")])
        .when("silence", [Behaviour::Silence]);
    let server = ModelServer::start(script).await;
    let harness = Harness::new(&obedient(&server), 1).await;
    let kinds = ["limited", "shaky", "down", "malformed", "key", "garbage", "silence", "plain"];
    harness.send(kinds.map(|kind| ("text/plain", Some(format!("ask {kind}"))))).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let mut out: Vec<String> = harness.records("out").await.iter().map(text).collect();
    out.sort();
    // Neither a limit nor a wrong key is the item's fault: both are waited out, however often they are met.
    assert_eq!(out, ["after a while", "ok", "once the key was mended", "the second time"], "{}", host.log());
    let dead: BTreeMap<String, (String, String)> = harness.records("dead").await.iter().map(outcome).collect();
    let expected = [
        ("ask down", "llm-unavailable", "3"),
        ("ask garbage", "llm-unavailable", "3"),
        ("ask malformed", "llm-invalid-request", "1"),
        ("ask silence", "llm-timeout", "3"),
    ];
    let expected = expected.map(|(asked, reason, attempts)| (asked.into(), (reason.into(), attempts.into())));
    assert_eq!(dead, BTreeMap::from(expected));
    assert_eq!(host.terminate().await, Some(0));
}

/// Payload, reason and attempts of a dead letter.
fn outcome(letter: &gristmill_core::model::Event) -> (String, (String, String)) {
    (text(letter), (header(letter, "failure_reason"), header(letter, "gristmill-attempts")))
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_misbehave_cost_their_own_items_and_no_other() {
    let server = ModelServer::start(Script::new()).await;
    let harness = Harness::new(&obedient(&server), 2).await;
    let bad = ["spin", "hog", "panic", "recurse", "exit", "flood 1000", "flood 12", "branch declared"];
    let good = (0..200).map(|number| format!("echo {number}"));
    let told = bad.into_iter().map(str::to_owned).chain(good).map(|told| ("text/plain", Some(told)));
    harness.send(told.chain([("text/plain", None), ("image/png", Some("x".into()))])).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(harness.records("out").await.len(), 200);
    let dead: BTreeMap<String, (String, String)> = harness.records("dead").await.iter().map(outcome).collect();
    let expected = [
        ("", "null-value", "0"),
        ("x", "unsupported-media-type", "1"),
        ("branch declared", "unmapped-branch", "1"),
        ("exit", "bad-call", "2"),
        ("flood 1000", "memory-limit", "2"),
        ("flood 12", "output-too-large", "1"),
        ("hog", "memory-limit", "2"),
        ("panic", "trap", "2"),
        ("recurse", "trap", "2"),
        ("spin", "cpu-limit", "2"),
    ];
    let expected = expected.map(|(told, reason, attempts)| (told.into(), (reason.into(), attempts.into())));
    assert_eq!(dead, BTreeMap::from(expected));
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_does_not_pay_for_an_answer_again() {
    let server = ModelServer::start(Script::new()).await;
    let harness = Harness::new(&obedient(&server), 1).await;
    harness.send([("text/plain", Some("ask-then-trap once".into()))]).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(harness.records("out").await.len(), 1);
    assert_eq!(server.paid(), 1);
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_told_at_once_and_all_together() {
    let harness = Harness::without_topics("[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n");
    let output = harness.run_to_end().await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for role in ["in", "out", "dead"] {
        assert!(said.contains(&harness.topic(role)), "{said}");
    }
    assert!(said.contains("create_topics"), "says the way out: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_refused_is_shown_at_its_place() {
    let server = ModelServer::start(Script::new()).await;
    let sections = obedient(&server).replace("grants = [\"llm\"]\n", "");
    let harness = Harness::without_topics(&sections);
    let output = gristmill().arg("check").arg(harness.file()).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("pipeline.toml:16:"), "{said}");
    assert!(said.contains("gristmill:stage/llm@0.1.0"), "{said}");
}
