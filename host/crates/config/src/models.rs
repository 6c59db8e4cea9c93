//! Resolves the model aliases of a pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::engine::count;
use super::section::{Read, Section, Value};
use super::settings::{Alias, OpenAi, Structured, Target};
use super::value::{NAME_FORM, is_name};

const OPENAI_URL: &str = "https://api.openai.com/v1";

const STRUCTURED: [(&str, Structured); 4] = [
    ("json_schema", Structured::JsonSchema),
    ("json_object_schema", Structured::JsonObjectSchema),
    ("json_object", Structured::JsonObject),
    ("prompt", Structured::Prompt),
];

#[derive(Clone, Copy)]
enum Provider {
    OpenAi,
    Scripted,
}

const PROVIDERS: [(&str, Provider); 2] = [("openai", Provider::OpenAi), ("scripted", Provider::Scripted)];

/// All aliases, by name.
pub(super) fn models(section: &mut Section<'_>) -> Read<BTreeMap<Arc<str>, Alias>> {
    let mut models = BTreeMap::new();
    let mut all = Ok(());
    for (name, place, value) in section.entries() {
        if !is_name(name) {
            let message = format!("\"{name}\" in [models] is not a name");
            all = Err(section.faults().report(place, message, NAME_FORM));
        }
        match value.table(&format!("[models.{name}]"), alias) {
            Ok(alias) => {
                models.insert(Arc::from(name), alias);
            }
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| models)
}

fn alias(section: &mut Section<'_>) -> Read<Alias> {
    const WAY_OUT: &str = "targets = [{ provider = \"openai\", model = \"…\", key = { env = \"…\" } }]";
    let title = section.title.clone();
    let max_concurrent = section.or("max_concurrent", count(8), |value| value.count(1_000));
    let targets = section.required("targets", WAY_OUT, |value| targets(value, &title));
    Ok(Alias { max_concurrent: max_concurrent?, targets: targets? })
}

fn targets(value: &Value<'_>, owner: &str) -> Read<Vec<Target>> {
    let tables = value.list("for example [{ provider = \"openai\", model = \"…\" }]")?;
    if tables.is_empty() {
        return Err(value.fault(format!("{} is empty", value.what), "name at least one target"));
    }
    let mut targets = Vec::new();
    let mut all = Ok(());
    for (index, table) in tables.iter().enumerate() {
        match table.table(&format!("target {} of {owner}", index + 1), target) {
            Ok(target) => targets.push(target),
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| targets)
}

fn target(section: &mut Section<'_>) -> Read<Target> {
    let title = section.title.clone();
    let provider = section.required("provider", "provider = \"openai\" or \"scripted\"", |value| {
        value.choice("provider", &title, &PROVIDERS)
    });
    match provider {
        Ok(Provider::OpenAi) => openai(section).map(Target::OpenAi),
        Ok(Provider::Scripted) => {
            let script = section.required("script", "script = \"answers.toml\"", Value::path);
            Ok(Target::Scripted { script: script? })
        }
        Err(reported) => {
            section.allow_any_key();
            Err(reported)
        }
    }
}

fn openai(section: &mut Section<'_>) -> Read<OpenAi> {
    let title = section.title.clone();
    let model = section.required("model", "model = \"…\", the model's name at the provider", |value| {
        value.text().map(str::to_owned)
    });
    let base_url = section.or("base_url", OPENAI_URL.to_owned(), base_url);
    let key = section.option("key", Value::secret);
    let timeouts = Duration::from_millis(100)..=Duration::from_secs(1_800);
    let timeout = section.or("timeout", Duration::from_secs(60), |value| value.duration(timeouts));
    let structured =
        section.or("structured", Structured::JsonSchema, |value| value.choice("structured form", &title, &STRUCTURED));
    let max_output_tokens = section.option("max_output_tokens", |value| value.count(1_000_000));
    let temperature = section.option("temperature", |value| value.number(0.0..=2.0));
    let options = section.or("options", BTreeSet::new(), |value| {
        let mut options = BTreeSet::new();
        for element in value.list("names of options, for example [\"reasoning_effort\"]")? {
            options.insert(element.text()?.to_owned());
        }
        Ok(options)
    });
    Ok(OpenAi {
        model: model?,
        base_url: base_url?,
        key: key?,
        timeout: timeout?,
        structured: structured?,
        max_output_tokens: max_output_tokens?,
        temperature: temperature?,
        options: options?,
    })
}

fn base_url(value: &Value<'_>) -> Read<String> {
    let text = value.text()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        Some(host) if host.contains('@') => {
            let message = format!("{} has a user name or password in it", value.what);
            Err(value.fault(message, "take it out: keys are given as key = { env = \"NAME\" }"))
        }
        Some(host) if !host.is_empty() && !text.contains(['?', '#']) && text.chars().all(|c| c.is_ascii_graphic()) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(value.fault(
            format!("{} is not the address of an API", value.what),
            format!("for example \"{OPENAI_URL}\", without a query"),
        )),
    }
}
