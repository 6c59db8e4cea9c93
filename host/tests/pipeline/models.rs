//! Requests that share a call, and answers that other jobs reuse, over a real broker and a real state store.

use std::collections::BTreeMap;

use gristmill_model_server::{Behaviour, ModelServer, Script, Seen};
use serde_json::{Value, json};

use crate::harness::{Harness, text};

/// A stage that asks for a summary of the body alone, with this in its configuration.
fn summarising(more: &str) -> String {
    format!(
        "[[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\n\
         config = {{ model = \"m\", tasks = [\"summary\"], fields = [\"/body\"]{more} }}\n"
    )
}

fn model(server: &ModelServer, more: &str) -> String {
    format!(
        "[models.m]\nmax_concurrent = 64\n{more}targets = [{{ provider = \"openai\", model = \"x\", base_url = {:?}, timeout = \
         \"60s\" }}]\n",
        server.base_url()
    )
}

fn letter(number: usize, copy: &str) -> (&'static str, Option<String>) {
    let payload = json!({"n": format!("{number}{copy}"), "body": format!("letter number {number} of the customer")});
    ("application/json", Some(payload.to_string()))
}

/// The summary of each record, by its name.
fn summaries(records: &[gristmill_core::model::Event]) -> BTreeMap<String, String> {
    let of = |record| {
        let value: Value = serde_json::from_str(&text(record)).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (word(&value["n"]), word(&value["ai_enrichment"]["summary"]))
    };
    records.iter().map(of).collect()
}

/// Answers each request in a call with the number of its letter, like a model that never mixes them up.
fn number_of_each(seen: &Seen) -> String {
    let messages = seen.body["messages"].as_array().unwrap();
    let said = messages.last().unwrap()["content"].as_str().unwrap();
    let answer = |part: &str| {
        let number = part.split("letter number ").nth(1).unwrap().split(' ').next().unwrap();
        json!({"summary": format!("about {number}")})
    };
    let Some(key) = said.split("The key is ").nth(1).and_then(|rest| rest.split('.').next()) else {
        return answer(said).to_string();
    };
    let opening = format!("<<<{key} request ");
    let answers =
        (1..).zip(said.split(&opening).skip(1)).map(|(id, part): (u64, _)| json!({"id": id, "answer": answer(part)}));
    json!({"answers": answers.collect::<Vec<_>>()}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_share_a_call_each_get_their_own_answer_and_fewer_calls_are_paid() {
    const EVENTS: usize = 200;
    let server = ModelServer::start(Script::new().otherwise(|seen| async move { number_of_each(&seen) })).await;
    let sections = format!("{}{}", summarising(", batch = { items = 10, wait = \"500ms\" }"), model(&server, ""));
    let harness = Harness::new(&sections, 6).await;
    harness.send((0..EVENTS).map(|number| letter(number, ""))).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    let summaries = summaries(&harness.records("out").await);
    assert_eq!(summaries.len(), EVENTS);
    for (name, summary) in &summaries {
        assert_eq!(*summary, format!("about {name}"));
    }
    assert!(server.paid() <= EVENTS / 4, "{} calls for {EVENTS} events", server.paid());
    assert_eq!(harness.records("dead").await.len(), 0);
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_for_other_jobs_survive_a_killed_host_and_none_is_paid_for_twice() {
    const EVENTS: usize = 20;
    const ANSWERED: usize = EVENTS / 2;
    let server =
        ModelServer::start(Script::new().when("", [Behaviour::Held("{\"summary\": \"a letter\"}".into())])).await;
    let sections = format!("{}{}", summarising(""), model(&server, "cache = { ttl = \"1h\" }\n"));
    let harness = Harness::new(&sections, 6).await;
    harness.send((0..EVENTS).map(|number| letter(number, ""))).await;
    let mut host = harness.start();
    harness.until("all are asked", &mut host, async || server.in_flight() == EVENTS).await;
    server.release(ANSWERED);
    harness.until("half of them are written", &mut host, async || harness.records("out").await.len() == ANSWERED).await;
    host.kill().await;
    server.until("its calls have ended", |server| server.in_flight() == 0).await;

    // The same letters in other events: half of the answers are kept, and the others are under way for the first ones.
    harness.send((0..EVENTS).map(|number| letter(number, " again"))).await;
    let mut host = harness.start();
    harness
        .until("the other half is asked once more", &mut host, async || {
            server.in_flight() == EVENTS - ANSWERED && harness.records("out").await.len() >= 2 * ANSWERED
        })
        .await;
    server.release(EVENTS);
    harness.until_all_settled(&mut host).await;
    let summaries = summaries(&harness.records("out").await);
    assert_eq!(summaries.len(), 2 * EVENTS);
    assert!(summaries.values().all(|summary| summary == "a letter"), "{summaries:?}");
    assert_eq!((server.paid(), server.calls()), (EVENTS, EVENTS + (EVENTS - ANSWERED)));
    assert_eq!(host.terminate().await, Some(0));
}
