//! Good files, and what they resolve to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{LEAST, parse, replaced, shown, with};
use crate::settings::{Module, Pipeline};
use gristmill_core::flow::settings::{RetryPolicy, Start};
use gristmill_core::settings::{ByteSize, Name, SecretRef};
use gristmill_kafka::{Brokers, Property};
use gristmill_llm::settings::{
    AnthropicSettings, AnthropicStructured, GeminiSettings, HeaderText, KeyHeader, Level, OllamaSettings,
    OpenAiSettings, ScriptedSettings, Structured, TargetSettings, Thinking,
};

const EXAMPLE: &str = include_str!("example.toml");

#[test]
fn everything_that_can_be_said_is_resolved() {
    let pipeline = parse(EXAMPLE).unwrap();
    assert_eq!(&*pipeline.name, "contracts");

    assert_eq!(pipeline.kafka.as_ref().unwrap().brokers, Brokers::Addresses("broker-1:9092,broker-2:9092".to_owned()));
    assert_eq!(
        pipeline.kafka.as_ref().unwrap().properties.0["security.protocol"],
        Property::Plain("sasl_ssl".to_owned())
    );
    let password = Property::Secret(SecretRef::Env("KAFKA_PASSWORD".to_owned()));
    assert_eq!(pipeline.kafka.as_ref().unwrap().properties.0["sasl.password"], password);
    let create = pipeline.kafka.as_ref().unwrap().create_topics.unwrap();
    assert_eq!((create.partitions, create.replication), (6, 1));

    assert_eq!((&*pipeline.source.topic, pipeline.group()), ("documents", "readers"));
    assert_eq!(pipeline.source.start, Start::Latest);
    assert_eq!(pipeline.source.content_type.as_deref(), Some("application/json"));
    assert_eq!((&*pipeline.sink.topic, &*pipeline.dead_letter.topic), ("analysed", "contracts.dead"));

    assert_eq!((pipeline.limits.max_in_flight.get(), pipeline.limits.items_in_flight.get()), (32, 4));
    assert_eq!(pipeline.limits.max_in_flight_bytes, ByteSize::mib(16));
    assert_eq!(pipeline.limits.drain_timeout, Duration::from_secs(90));
}

#[test]
fn a_stage_has_what_it_says_and_else_what_the_pipeline_says() {
    let stages = parse(EXAMPLE).unwrap().stages.clone();
    assert_eq!(stages[0].module, Module::Builtin("extract".to_owned()));
    assert_eq!(stages[0].config, json!({}));
    assert_eq!(stages[0].retry.attempts.get(), 4);
    assert_eq!(stages[0].limits.memory, ByteSize::mib(64));

    assert_eq!(stages[1].module, Module::File(PathBuf::from("pipes/stages/enrich.wasm")));
    assert!(stages[1].grants.llm);
    let config = json!({"since": "2024-05-01", "ratio": 0.5, "tasks": [{"name": "title"}, {"name": "summary"}]});
    assert_eq!(stages[1].config, config);
    assert_eq!(stages[1].retry.attempts.get(), 5);
    assert_eq!(stages[1].retry.first_wait, Duration::from_millis(500));
    assert_eq!(stages[1].limits.output, ByteSize::bytes(1_000_000));
    assert_eq!((stages[1].limits.cpu, stages[1].limits.wall), (Duration::from_secs(1), Duration::from_secs(90)));
}

#[test]
fn models_have_their_targets_in_order() {
    let models = parse(EXAMPLE).unwrap().models.clone();
    let (smart, test) = (&models[&Name::new("smart").unwrap()], &models[&Name::new("test").unwrap()]);
    assert_eq!((smart.max_concurrent.get(), smart.reask), (2, 1));
    let [TargetSettings::OpenAi(first), TargetSettings::OpenAi(second)] = smart.targets.as_slice() else {
        panic!("{models:?}");
    };
    let told = OpenAiSettings {
        model: "gpt-5-mini".to_owned(),
        base_url: "https://api.openai.com/v1".to_owned(),
        key: Some(SecretRef::Env("OPENAI_API_KEY".to_owned())),
        timeout: Duration::from_secs(30),
        structured: Structured::JsonObject,
        max_output_tokens: Some(1000),
        temperature: Some(0.2),
        allowed_options: vec!["reasoning_effort".to_owned()],
        ..OpenAiSettings::new("gpt-5-mini")
    };
    assert_eq!(*first, told);
    assert_eq!(second.base_url, "http://127.0.0.1:8080/v1");
    assert_eq!((&second.key, second.timeout), (&None, Duration::from_secs(60)));
    assert_eq!(
        test.targets,
        [TargetSettings::Scripted(ScriptedSettings { script: PathBuf::from("pipes/answers.toml"), price: None })]
    );
    assert_eq!((test.max_concurrent.get(), test.reask), (8, 2));
}

#[test]
fn every_provider_can_be_a_target() {
    let models = r#"[models.smart]
targets = [
  { provider = "openai", model = "mini", base_url = "https://x.openai.azure.com/openai/deployments/mini", key = { env = "AZURE" }, key_header = "api-key", api_version = "2024-10-21" },
  { provider = "anthropic", model = "claude", key = { env = "ANTHROPIC" }, structured = "tool", headers = { anthropic-beta = "b", x-tenant = { file = "tenant" } } },
  { provider = "gemini", model = "gemini-2.5-flash", key = { env = "GEMINI" }, max_output_tokens = 500, thinking = 2048, stream = false, idle = "10s" },
  { provider = "ollama", model = "llama3.2:3b", base_url = "http://gpu:11434/", context = 16384, thinking = "off" },
  { provider = "ollama", model = "m" },
]
"#;
    let pipeline = with(models).unwrap();
    let secret = |name: &str| Some(SecretRef::Env(name.to_owned()));
    let tenant = SecretRef::File(PathBuf::from("pipes/tenant"));
    let headers = [
        ("anthropic-beta".to_owned(), HeaderText::Plain("b".to_owned())),
        ("x-tenant".to_owned(), HeaderText::Secret(tenant)),
    ];
    let expected = [
        TargetSettings::OpenAi(OpenAiSettings {
            base_url: "https://x.openai.azure.com/openai/deployments/mini".to_owned(),
            key: secret("AZURE"),
            key_header: KeyHeader::ApiKey,
            api_version: Some("2024-10-21".to_owned()),
            ..OpenAiSettings::new("mini")
        }),
        TargetSettings::Anthropic(AnthropicSettings {
            key: secret("ANTHROPIC"),
            structured: AnthropicStructured::Tool,
            headers: headers.into(),
            ..AnthropicSettings::new("claude")
        }),
        TargetSettings::Gemini(GeminiSettings {
            key: secret("GEMINI"),
            max_output_tokens: Some(500),
            thinking: Some(Thinking::Tokens(2_048)),
            stream: false,
            idle: Duration::from_secs(10),
            ..GeminiSettings::new("gemini-2.5-flash")
        }),
        TargetSettings::Ollama(OllamaSettings {
            base_url: "http://gpu:11434".to_owned(),
            context: 16_384,
            thinking: Some(Level::Off),
            ..OllamaSettings::new("llama3.2:3b")
        }),
        TargetSettings::Ollama(OllamaSettings::new("m")),
    ];
    assert_eq!(pipeline.models[&Name::new("smart").unwrap()].targets, expected);
    assert!(!format!("{pipeline:?}").contains("\"b\""), "plain headers are not shown");
}

#[test]
fn what_is_left_out_has_its_default() {
    let pipeline = parse(LEAST).unwrap();
    assert_eq!(pipeline.kafka.as_ref().unwrap().brokers, Brokers::Embedded { port: None });
    assert_eq!(pipeline.kafka.as_ref().unwrap().create_topics, None);
    assert_eq!((pipeline.group(), pipeline.source.start), ("contracts", Start::Earliest));
    assert_eq!((pipeline.limits.max_in_flight.get(), pipeline.limits.items_in_flight.get()), (64, 8));
    assert_eq!(pipeline.limits.max_in_flight_bytes, ByteSize::mib(64));
    assert_eq!(pipeline.limits.drain_timeout, Duration::from_secs(30));
    let stage = &pipeline.stages[0];
    assert_eq!(stage.retry, RetryPolicy::default());
    assert_eq!((stage.limits.memory, stage.limits.output), (ByteSize::mib(64), ByteSize::mib(8)));
    assert_eq!((stage.limits.cpu, stage.limits.wall), (Duration::from_secs(5), Duration::from_secs(120)));
}

#[test]
fn properties_can_be_written_with_quotes_and_with_dots() {
    let properties = r#"brokers = "embedded"
properties.queue.buffering.max.kbytes = 65_536
properties.sasl.password = { file = "secrets/kafka" }
[kafka.properties]
enable.ssl.certificate.verification = false
"ssl.ca.location" = "/etc/ca.pem""#;
    let refused = shown(replaced("brokers = \"embedded\"", properties));
    assert!(refused.contains("this is not TOML"), "one table has one way to be written: {refused}");

    let properties = properties.replace("[kafka.properties]\n", "").replace("\nenable", "\nproperties.enable");
    let properties = properties.replace("\n\"ssl", "\nproperties.\"ssl");
    let properties = replaced("brokers = \"embedded\"", &properties).unwrap().kafka.clone().unwrap().properties.0;
    let plain = |text: &str| Property::Plain(text.to_owned());
    assert_eq!(properties["queue.buffering.max.kbytes"], plain("65536"));
    assert_eq!(properties["enable.ssl.certificate.verification"], plain("false"));
    assert_eq!(properties["ssl.ca.location"], plain("/etc/ca.pem"));
    assert_eq!(properties["sasl.password"], Property::Secret(SecretRef::File(PathBuf::from("pipes/secrets/kafka"))));
}

#[test]
fn debug_output_has_no_plain_property() {
    let pipeline = replaced("[source]", "properties.\"sasl.password\" = \"canary\"\n[source]").unwrap();
    assert!(!format!("{pipeline:?}").contains("canary"));
}

#[test]
fn a_model_that_no_stage_can_ask_is_fine() {
    with("[models.test]\ntargets = [{ provider = \"scripted\", script = \"a.toml\" }]").unwrap();
}

#[test]
fn numbers_and_dates_of_a_config_become_json() {
    let config = "config = { hex = 0xff, negative = -3, whole = 2.0, at = 2024-05-01T10:00:00Z, on = true }";
    let json = json!({"hex": 255, "negative": -3, "whole": 2.0, "at": "2024-05-01T10:00:00Z", "on": true});
    assert_eq!(with(config).unwrap().stages[0].config, json);
}

/// A model answers in the order of its schema, and a reason before the verdict is worth more than one after it.
#[test]
fn a_schema_keeps_the_order_of_its_properties() {
    let config =
        "config = { schema = { properties = { reason = { type = \"string\" }, is_spam = { type = \"boolean\" } } } }";
    let pipeline = with(config).unwrap();
    let text = pipeline.stages[0].config.to_string();
    assert!(text.find("reason") < text.find("is_spam"), "{text}");
}

#[test]
fn a_file_is_loaded_and_its_folder_is_where_paths_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    std::fs::write(&path, LEAST.replace("builtin:extract", "extract.wasm")).unwrap();
    let pipeline = Pipeline::load(&path).unwrap();
    assert_eq!(pipeline.stages[0].module, Module::File(folder.path().join("extract.wasm")));
}

/// The front page must not rot: what it shows as a pipeline is one.
#[test]
fn the_readmes_example_parses() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    if !readme.exists() {
        return;
    }
    let text = std::fs::read_to_string(&readme).unwrap();
    let blocks: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.contains("[[stage]]") && block.contains("[source]"))
        .collect();
    assert!(!blocks.is_empty(), "README.md shows no pipeline");
    for block in blocks {
        if let Err(error) = parse(block) {
            panic!("a pipeline in README.md:\n{error}");
        }
    }
}

/// Nor must the page of the models: its configurations are some, those in the table of the providers too.
#[test]
fn the_configurations_of_providers_parse() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/models.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned);
    let rows = text.lines().filter_map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [_, provider, keys] = cells.as_slice() else { return None };
        let (provider, keys) = (provider.strip_prefix('`')?.strip_suffix('`')?, keys.strip_prefix('`')?);
        let keys = keys.strip_suffix("` |")?;
        Some(format!("[models.smart]\ntargets = [{{ provider = \"{provider}\", {keys} }}]\n"))
    });
    let all: Vec<String> = blocks.chain(rows).collect();
    assert!(all.len() >= 10, "{all:#?}");
    for models in all {
        if let Err(error) = with(&models) {
            panic!("a configuration in docs/models.md:\n{error}");
        }
    }
}
