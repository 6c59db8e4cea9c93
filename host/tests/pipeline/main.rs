//! Whole pipelines: the real binary with a real broker, and an HTTP server as the model.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod contracts;
mod flood;
mod harness;
mod host;
mod metrics;
mod models;
mod real_model;
mod supervisor;
mod versions;

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_model_server::{Behaviour, ModelServer, Script};
use harness::{Harness, by_job, gristmill, header, jobs, text};

/// Three stages; the second one asks a model.
fn enriching(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"sanitize\"\nmodule = \"builtin:sanitize\"\n\
         [[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\n\
         config = {{ model = \"m\", tasks = [\"summary\"], fields = [\"/body\"] }}\n\
         [[stage]]\nname = \"validate\"\nmodule = \"builtin:validate\"\nconfig = {{ require = [\"/n\", \"/ai_enrichment/summary\"] }}\n\
         {}",
        // So long that a busy machine does not exceed it: a call that does is paid for twice.
        model(server, "60s")
    )
}

fn model(server: &ModelServer, timeout: &str) -> String {
    format!(
        "[models.m]\nmax_concurrent = 64\ntargets = [{{ provider = \"openai\", model = \"x\", base_url = {:?}, timeout = {timeout:?} }}]\n",
        server.base_url()
    )
}

/// One stage that executes the command in each item.
fn obedient(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"obey\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\nlimits = {{ cpu = \"300ms\" }}\n{}",
        model(server, "2s")
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

/// Every event is in the sink or, if poisoned, in the dead-letter topic, at least once.
fn assert_complete(events: usize, out: &[gristmill_core::model::Event], dead: &[gristmill_core::model::Event]) {
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
    for dead_letter in dead {
        assert_eq!(header(dead_letter, "failure_reason"), "invalid-json");
        assert_eq!(header(dead_letter, "gristmill-stage"), "sanitize");
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
    assert_eq!(out.len(), 9_900, "each exactly once if nothing fails");
    assert_eq!(dead.len(), 100);
    assert_complete(10_000, &out, &dead);
    assert_eq!(server.paid(), 9_900, "each answer is paid for once");
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sanitize_with_a_model_masks_the_names_that_it_quotes_and_nothing_it_makes_up() {
    let quotes = r#"{"found": [{"kind": "person", "quote": "Mia Muster"}, {"kind": "person", "quote": "Nobody"}]}"#;
    let server = ModelServer::start(Script::new().when("", [Behaviour::answer(quotes)])).await;
    let stage = "[[stage]]\nname = \"sanitize\"\nmodule = \"builtin:sanitize\"\ngrants = [\"llm\"]\n\
                 config = { recognise = { model = \"m\" } }\n";
    let harness = Harness::new(&format!("{stage}{}", model(&server, "60s")), 1).await;
    harness.send([("text/plain", Some("Mia Muster wrote to mia@example.com".to_owned()))]).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let out = harness.records("out").await;
    assert_eq!(out.iter().map(text).collect::<Vec<_>>(), ["[PERSON] wrote to [EMAIL]"]);
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_host_finishes_its_jobs_and_the_next_one_resumes() {
    let server = ModelServer::start(summaries()).await;
    let harness = Harness::new(&enriching(&server), 6).await;
    harness.send((0..3_000).map(event)).await;
    let mut host = harness.start();
    harness.until_settled(500, &mut host).await;
    assert_eq!(host.terminate().await, Some(0));
    let settled = harness.settled().await;
    let done = harness.records("out").await.len() + harness.records("dead").await.len();
    assert_eq!(i64::try_from(done).unwrap(), settled, "exactly the written events are committed");
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let (out, dead) = (harness.records("out").await, harness.records("dead").await);
    assert_eq!(out.len() + dead.len(), 3_000, "a clean shutdown repeats nothing");
    assert_complete(3_000, &out, &dead);
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_loses_nothing_and_repeats_have_the_same_job_id() {
    let server = ModelServer::start(summaries()).await;
    let harness = Harness::new(&enriching(&server), 6).await;
    harness.send((0..3_000).map(event)).await;
    let mut host = harness.start();
    harness.until_settled(500, &mut host).await;
    host.kill().await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let (out, dead) = (harness.records("out").await, harness.records("dead").await);
    assert_complete(3_000, &out, &dead);
    let distinct = jobs(&out).len() + jobs(&dead).len();
    assert_eq!(distinct, 3_000, "repeats have the job id of the first record");
    for (job, times) in by_job(&out) {
        assert!(times <= 2, "{job} was written {times} times by two hosts");
    }
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_model_server_has_its_documented_outcome() {
    let busy = Behaviour::rate_limited("1");
    let refused = Behaviour::error(401, "invalid_api_key", "who are you");
    let broken = Behaviour::error(500, "server_error", "oops");
    let script = Script::new()
        .when("limited", [busy.clone(), busy.clone(), busy.clone(), busy, Behaviour::answer("after a while")])
        .when("shaky", [broken.clone(), Behaviour::answer("the second time")])
        .when("down", [broken])
        .when("malformed", [Behaviour::error(400, "invalid_request_error", "no such thing")])
        .when("key", [refused.clone(), refused, Behaviour::answer("once the key was fixed")])
        .when("garbage", [Behaviour::ok("text/html", "<html>hello</html>")])
        .when("silence", [Behaviour::Silence]);
    let server = ModelServer::start(script).await;
    let harness = Harness::new(&obedient(&server), 1).await;
    let kinds = ["limited", "shaky", "down", "malformed", "key", "garbage", "silence", "plain"];
    harness.send(kinds.map(|kind| ("text/plain", Some(format!("ask {kind}"))))).await;
    let mut host = harness.start();
    // Whose fault a failure is, what others get meanwhile decides, so somebody must ask until all of it is decided.
    let others = async {
        loop {
            harness.send([("text/plain", Some("ask plain".to_owned()))]).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        () = others => {}
        () = harness.until("four dead letters", &mut host, async || harness.records("dead").await.len() == 4) => {}
    }
    harness.until_all_settled(&mut host).await;
    let mut out: Vec<String> = harness.records("out").await.iter().map(text).collect();
    out.sort();
    out.dedup();
    // A rate limit or a wrong key is not the item's fault: the item waits, however often it happens.
    assert_eq!(out, ["after a while", "ok", "once the key was fixed", "the second time"], "{}", host.log());
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
fn outcome(dead_letter: &gristmill_core::model::Event) -> (String, (String, String)) {
    (text(dead_letter), (header(dead_letter, "failure_reason"), header(dead_letter, "gristmill-attempts")))
}

#[tokio::test(flavor = "multi_thread")]
async fn misbehaving_guests_fail_only_their_own_items() {
    let server = ModelServer::start(Script::new()).await;
    let harness = Harness::new(&obedient(&server), 2).await;
    let bad = ["spin", "hog", "panic", "recurse", "exit", "flood 1000", "flood 12", "branch declared"];
    let good = (0..200).map(|number| format!("echo {number}"));
    let commands = bad.into_iter().map(str::to_owned).chain(good).map(|command| ("text/plain", Some(command)));
    harness.send(commands.chain([("text/plain", None), ("image/png", Some("x".into()))])).await;
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
    let expected = expected.map(|(command, reason, attempts)| (command.into(), (reason.into(), attempts.into())));
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
async fn all_missing_topics_are_reported_at_startup() {
    let harness = Harness::without_topics("[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n");
    let output = harness.run_to_end().await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for role in ["in", "out", "dead"] {
        assert!(stderr.contains(&harness.topic(role)), "{stderr}");
    }
    assert!(stderr.contains("create_topics"), "the error says how to fix it: {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_module_is_shown_with_its_line() {
    let server = ModelServer::start(Script::new()).await;
    let sections = obedient(&server).replace("grants = [\"llm\"]\n", "");
    let harness = Harness::without_topics(&sections);
    let output = gristmill().arg("check").arg(harness.file()).output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(stderr.contains("pipeline.toml:16:"), "{stderr}");
    assert!(stderr.contains("gristmill:stage/llm@0.2.1"), "{stderr}");
}
