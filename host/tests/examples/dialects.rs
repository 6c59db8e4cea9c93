//! The examples once more, with a model server in place of the script: each API that Gristmill speaks brings the same output.
//! That of vectors is left out: a server has other ones than the script.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill_core::model::{
    ChatMessage, ChatRequest, EventId, Format, JobId, Partition, Position, Role, Timestamp, TraceContext,
};
use gristmill_core::ports::{Caller, Edition, Model, Observers};
use gristmill_llm::settings::{AliasSettings, Budgets, ScriptedSettings, Settings, TargetSettings};
use gristmill_llm::{Limits, Purse, Surroundings};
use gristmill_model_server::{ModelServer, Script, Seen};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{CONTRACTS, DOCUMENTS, EVENTS, Example, RESCUE, lines};

#[derive(Debug, Clone, Copy)]
enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Dialect {
    /// A target that asks for the model `alias` on this server.
    fn target(self, server: &ModelServer, alias: &str) -> String {
        let (provider, base_url) = match self {
            Self::OpenAi => ("openai", server.url("/v1")),
            Self::Anthropic => ("anthropic", server.url("/v1")),
            Self::Gemini => ("gemini", server.url("/v1beta")),
            Self::Ollama => ("ollama", server.url("")),
        };
        format!("targets = [{{ provider = {provider:?}, model = {alias:?}, base_url = {base_url:?} }}]")
    }

    /// What was asked, in terms of the stage that asked.
    fn read(self, seen: &Seen) -> ChatRequest {
        let body = &seen.body;
        let (alias, system, messages, schema) = match self {
            Self::OpenAi => {
                (&body["model"], None, &body["messages"], &body["response_format"]["json_schema"]["schema"])
            }
            Self::Anthropic => {
                (&body["model"], Some(&body["system"]), &body["messages"], &body["output_config"]["format"]["schema"])
            }
            Self::Gemini => {
                let system = &body["systemInstruction"]["parts"];
                (&Value::Null, Some(system), &body["contents"], &body["generationConfig"]["responseJsonSchema"])
            }
            Self::Ollama => (&body["model"], None, &body["messages"], &body["format"]),
        };
        let method = seen.path.rsplit('/').next().and_then(|method| method.split(':').next());
        let system = system.map(|said| ChatMessage::text(Role::System, words(said)));
        let messages = messages.as_array().unwrap().iter().map(|message| {
            let role = if message["role"] == "system" { Role::System } else { Role::User };
            ChatMessage::text(role, words(message.get("content").unwrap_or(&message["parts"])))
        });
        let mut request = ChatRequest::new(system.into_iter().chain(messages).collect());
        request.model = alias.as_str().or(method).map(str::to_owned);
        if schema.is_object() {
            request.format = Format::Schema { name: "answer".into(), description: None, schema: schema.to_string() };
        }
        request
    }
}

/// A text, or the texts of parts.
fn words(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    }
}

/// The script of an example, as the models of these aliases.
fn scripted(script: &Path, aliases: &[&str]) -> Arc<dyn Model> {
    let target = TargetSettings::Scripted(ScriptedSettings { script: script.into(), price: None });
    let alias = AliasSettings::new(vec![target]);
    let models = aliases.iter().map(|name| ((*name).to_owned(), alias.clone())).collect();
    let surroundings = Surroundings {
        store: None,
        answers: None,
        counters: None,
        limits: Arc::new(Limits::default()),
        purse: Arc::new(Purse::new(Budgets::default(), Arc::new(|| Timestamp(0)))),
        observer: Arc::new(Observers::default()),
    };
    gristmill_llm::build(Settings { models, ..Settings::default() }, surroundings).unwrap().model
}

async fn answer(model: &dyn Model, request: &ChatRequest, number: u128) -> String {
    let partition = Partition { topic: "in".into(), index: 0 };
    let job = JobId::new("p", &EventId { partition, position: Position(number) });
    let trace = TraceContext::of_job(&job);
    let caller =
        Caller { job, stage: "stage".into(), item: "item".into(), repeat: 0, edition: Edition::default(), trace };
    model.chat(&caller, request).await.unwrap().text
}

/// Runs an example with a server of this dialect as its models.
fn through(dialect: Dialect, example: &Example) {
    let model = scripted(&example.folder().join("answers.toml"), example.aliases);
    let asked = Arc::new(AtomicUsize::new(0));
    let script = Script::new().otherwise(move |seen| {
        let (model, request) = (Arc::clone(&model), dialect.read(&seen));
        let number = asked.fetch_add(1, Ordering::Relaxed);
        async move { answer(&*model, &request, number as u128).await }
    });
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(ModelServer::start(script));
    let pipeline = std::fs::read_to_string(example.folder().join("pipeline.toml")).unwrap();
    let (stages, _) = pipeline.split_once("[models.").unwrap();
    let models = example.aliases.iter().map(|alias| format!("[models.{alias}]\n{}\n", dialect.target(&server, alias)));
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(example.folder()).unwrap().map(Result::unwrap) {
        // What the pipeline file names stands beside it.
        if entry.path().extension().is_some_and(|extension| extension == "json") {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let file = folder.path().join("pipeline.toml");
    std::fs::write(&file, format!("{stages}{}", models.collect::<String>())).unwrap();
    for (records, expected) in example.run(&file).iter().zip(example.expected()) {
        assert_eq!(plain(records), plain(&lines(&expected)), "{dialect:?}: {}", expected.display());
    }
    assert!(server.paid() > 0, "{dialect:?} was asked");
}

/// Records without the name of the model and what it counted, and so without their digests.
fn plain(records: &[Value]) -> Vec<Value> {
    const COUNTED: [&str; 5] =
        [".model", "input-tokens", "output-tokens", "gristmill-cost-usd", "gristmill-output-sha256"];
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !COUNTED.iter().any(|counted| name.ends_with(counted)));
                members.values_mut().for_each(strip);
            }
            Value::Array(elements) => elements.iter_mut().for_each(strip),
            Value::String(text) => {
                for provider in ["scripted/", "openai/", "anthropic/", "gemini/", "ollama/"] {
                    while let Some((before, behind)) = text.split_once(provider) {
                        let behind = behind.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
                        *text = format!("{before}MODEL{behind}");
                    }
                }
            }
            _ => {}
        }
    }
    let mut records = records.to_vec();
    records.iter_mut().for_each(strip);
    records
}

fn all_examples(dialect: Dialect) {
    for example in [DOCUMENTS, EVENTS, CONTRACTS, RESCUE] {
        through(dialect, &example);
    }
}

#[test]
fn the_examples_bring_the_same_output_through_openais_api() {
    all_examples(Dialect::OpenAi);
}

#[test]
fn the_examples_bring_the_same_output_through_anthropics_api() {
    all_examples(Dialect::Anthropic);
}

#[test]
fn the_examples_bring_the_same_output_through_geminis_api() {
    all_examples(Dialect::Gemini);
}

#[test]
fn the_examples_bring_the_same_output_through_ollamas_api() {
    all_examples(Dialect::Ollama);
}
