//! The pipeline with a genuine small model, which `cargo xtask real-model` runs. Not part of the other tests: installing it
//! compiles llama.cpp.

use std::sync::{Arc, Mutex};

use gristmill_model_server::{ModelServer, Script, Seen};
use serde_json::Value;

use crate::harness::{Harness, text};

/// The address of the model's server, up to `/v1`.
const VARIABLE: &str = "GRISTMILL_TEST_MODEL";

/// A static group member: a restarted host need not wait for the session of the killed one to expire.
const STATIC: &str = "[kafka.properties]\n\"group.instance.id\" = \"the-one\"\n";

/// One event of some sentences.
const TICKET: &str = "The delivery of order 20418 arrived three days late and the box was wet. The customer asks for a refund of \
                      the shipping cost. She has been a customer for six years and was friendly on the phone.";

/// A server that passes each request on to the model, and notes what was asked.
async fn passed_on(notes: Arc<Mutex<Vec<String>>>) -> ModelServer {
    let address =
        std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} is not set: run `cargo xtask real-model`"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let script = Script::new().otherwise(move |seen: Seen| {
        let (client, address, notes) = (client.clone(), address.clone(), Arc::clone(&notes));
        async move {
            notes.lock().unwrap().push(seen.body.to_string());
            let reply =
                client.post(format!("{address}/chat/completions")).json(&plain(seen.body)).send().await.unwrap();
            let body: Value = reply.json().await.unwrap();
            body["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("no answer: {body}")).to_owned()
        }
    });
    ModelServer::start(script).await
}

/// The request without a stream: the server between answers in one piece.
fn plain(mut body: Value) -> Value {
    body["stream"] = false.into();
    body.as_object_mut().unwrap().remove("stream_options");
    body
}

fn model(server: &ModelServer) -> String {
    format!(
        "[models.small]\nmax_concurrent = 1\ntargets = [{{ provider = \"openai\", model = \"smollm2\", base_url = {:?}, \
         structured = \"json_object_schema\", timeout = \"10m\", max_output_tokens = 200 }}]\n",
        server.base_url()
    )
}

fn stage(name: &str, prompt: &str, schema: &str) -> String {
    format!(
        "[[stage]]\nname = {name:?}\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\nlimits = {{ wall = \"30m\" }}\n\
         [stage.config]\nmodel = \"small\"\nfields = [\"/body\"]\nmerge_under = {name:?}\n\
         [[stage.config.custom]]\nname = \"answer\"\nprompt = {prompt:?}\nschema = {schema}\n"
    )
}

fn event(number: usize) -> (&'static str, Option<String>) {
    ("application/json", Some(serde_json::json!({"id": number, "body": TICKET}).to_string()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a model; run `cargo xtask real-model`"]
async fn a_real_models_structured_answers_are_valid() {
    const EVENTS: usize = 10;
    let server = passed_on(Arc::default()).await;
    let mood = "{ enum = [\"good\", \"bad\", \"mixed\"] }";
    // Only what a grammar can hold: the range of a number is none of it.
    let facts = "{ type = \"object\", required = [\"topic\", \"urgency\"], additionalProperties = false, properties = { topic = { type \
                 = \"string\", maxLength = 60 }, urgency = { enum = [\"low\", \"medium\", \"high\"] } } }";
    let sections = [
        stage("mood", "Say which mood {{text}} is in.", mood),
        stage("facts", "Name the topic of {{text}} in a few words, and how urgent it is: low, medium or high.", facts),
        model(&server),
    ];
    let harness = Harness::new(&sections.concat(), 1).await;
    harness.send((0..EVENTS).map(event)).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0));
    let (out, dead) = (harness.records("out").await, harness.records("dead").await);
    println!("{EVENTS} events, {} answers, {} dead letters", server.paid(), dead.len());
    assert_eq!((out.len(), dead.len()), (EVENTS, 0), "{}", harness.log());
    for record in &out {
        let record: Value = serde_json::from_str(&text(record)).unwrap();
        assert!(["good", "bad", "mixed"].contains(&record["mood"]["answer"].as_str().unwrap()), "{record}");
        assert!(
            ["low", "medium", "high"].contains(&record["facts"]["answer"]["urgency"].as_str().unwrap()),
            "{record}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a model; run `cargo xtask real-model`"]
async fn a_chain_of_four_prompts_killed_in_the_third_resumes_at_the_third() {
    let notes = Arc::<Mutex<Vec<String>>>::default();
    let server = passed_on(Arc::clone(&notes)).await;
    let prompts = [
        "First, summarise {{text}}.",
        "Second, judge {{text}}.",
        "Third, criticise {{text}}.",
        "Fourth, praise {{text}}.",
    ];
    let names = ["one", "two", "three", "four"];
    let text_schema = "{ type = \"string\", maxLength = 120 }";
    let mut sections: String =
        names.iter().zip(prompts).map(|(name, prompt)| stage(name, prompt, text_schema)).collect();
    sections.push_str(&model(&server));
    let harness = Harness::new(&format!("{STATIC}{sections}"), 1).await;
    let asked = |word: &str| notes.lock().unwrap().iter().filter(|body| body.contains(word)).count();
    harness.send([event(0)]).await;
    let mut host = harness.start();
    harness.until("the third prompt is with the model", &mut host, async || asked("Third, ") == 1).await;
    host.kill().await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0));
    let counts = ["First, ", "Second, ", "Third, ", "Fourth, "].map(asked);
    println!("asked {counts:?} times");
    assert_eq!(counts, [1, 1, 2, 1], "what was answered before the kill is not asked again");
    assert_eq!(harness.records("out").await.len(), 1, "{}", harness.log());
}
