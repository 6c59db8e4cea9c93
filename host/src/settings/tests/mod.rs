//! What a pipeline file can say, what can be wrong with it, and how that is shown.

mod budget;
mod cluster;
mod documents;
mod engine;
mod good;
mod host;
mod json_files;
mod models;
mod places;
mod plan;
mod redis;
mod requires;
mod robust;
mod schema;
mod stages;
mod store;
mod syntax;
mod warnings;

use std::path::Path;

use gristmill_config::ConfigError;

use super::Pipeline;

/// The least that a pipeline needs.
const LEAST: &str = r#"name = "contracts"
[kafka]
brokers = "embedded"
[source]
topic = "documents"
[sink]
topic = "analysed"
[dead_letter]
topic = "dead"
[[stage]]
name = "extract"
module = "builtin:extract"
"#;

fn parse(text: &str) -> Result<Pipeline, ConfigError> {
    let parsed = Pipeline::parse(text, Path::new("pipes/p.toml"));
    schema::agrees(text, &parsed);
    parsed
}

/// The least pipeline with `more` behind it, in its stage.
fn with(more: &str) -> Result<Pipeline, ConfigError> {
    parse(&format!("{LEAST}{more}"))
}

/// The least pipeline with one part replaced.
fn replaced(from: &str, to: &str) -> Result<Pipeline, ConfigError> {
    assert!(LEAST.contains(from), "{from}");
    parse(&LEAST.replacen(from, to, 1))
}

/// Faults of single keys do not hide those across keys.
#[test]
fn everything_is_reported_together() {
    let file = parse(&format!("{}[limits]\nmax_in_flight = 0\nx = 1\n", LEAST.replace("analysed", "documents")));
    let shown = shown(file);
    for fault in ["are the same topic", "out of range", "unknown key \"x\""] {
        assert!(shown.contains(fault), "{shown}");
    }
}

/// What the user sees.
#[track_caller]
fn shown(result: Result<Pipeline, ConfigError>) -> String {
    match result {
        Ok(pipeline) => panic!("no fault was found: {pipeline:#?}"),
        Err(error) => format!("\n{error}\n"),
    }
}
