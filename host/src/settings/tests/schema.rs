//! The schema as an editor sees it, and the documentation that is made of it.

use std::path::Path;

use serde_json::Value;

use gristmill_config::ConfigError;

use super::LEAST;
use crate::settings::{Pipeline, fill, host_schema, schema};

fn json(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).unwrap();
    serde_json::to_value(table).unwrap()
}

/// Without our extension keywords: editors do not know them.
fn as_an_editor() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

/// Faults that a JSON Schema cannot express.
const UNSEEN: &[&str] = &[
    // Between keys.
    "are the same topic",
    "could overtake each other",
    "the file has [kafka] and [redis]",
    "the file has neither",
    "Redis keeps no order",
    "Redis cannot deliver exactly once",
    "items cannot be the keys of the sink on Redis",
    "these files for TLS do not fit",
    "documents are named by something else",
    "the first wait is longer than the longest",
    "the embedded broker cannot deliver exactly once",
    "[transactions] is there, but outputs are written without transactions",
    "[store] would keep unfinished jobs for a shorter time",
    "no route leads to stage",
    "names no stage",
    "names the stage itself",
    "the topic of events",
    "the topic of dead letters",
    "rescues, so it has no",
    "gathers, so it cannot be rescued",
    "which is there to rescue",
    "may ask models, but there are none",
    "may ask for vectors, but no model's first target makes any",
    "two stages are named",
    "about items that have not passed",
    "[requires] names no stage",
    // Of librdkafka's properties the schema knows none.
    "unknown Kafka property",
    "the Kafka property",
    "these Kafka properties contradict each other",
    // TOML has numbers that JSON has not.
    "is a number that JSON cannot hold",
    // Bounds of sizes and times, which are text with a unit.
    "from 1KiB to",
    "from 64KiB to",
    "from 1MiB to",
    "from 100ms to",
    "from 0s to",
    "from 1m to",
    "from 5s to",
];

/// Every file that is read fits the schema, and every other does not, unless its faults are beyond it.
#[track_caller]
pub(super) fn agrees(text: &str, parsed: &Result<Pipeline, ConfigError>) {
    let Ok(table) = toml::from_str::<toml::Table>(text) else { return };
    let valid = as_an_editor().is_valid(&serde_json::to_value(table).unwrap());
    match parsed {
        Ok(_) => assert!(valid, "the schema rejects {text}"),
        Err(error) => {
            let error = error.to_string();
            assert!(
                !valid || UNSEEN.iter().any(|fault| error.contains(fault)),
                "an editor sees no fault here: {error}"
            );
        }
    }
}

#[test]
fn every_example_fits_the_schema() {
    let validator = as_an_editor();
    assert!(validator.is_valid(&json(LEAST)));
    assert!(validator.is_valid(&json(include_str!("example.toml"))));
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for folder in std::fs::read_dir(examples).unwrap() {
        let Ok(text) = std::fs::read_to_string(folder.unwrap().path().join("pipeline.toml")) else { continue };
        let file = json(&text);
        let faults: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new());
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

#[test]
fn an_editor_sees_the_faults_of_single_keys() {
    let validator = as_an_editor();
    let faulty = [
        ("name = \"contracts\"", "name = \"Verträge\""),
        ("name = \"contracts\"", "name = \"contracts\"\nnme = 1"),
        ("brokers = \"embedded\"", "brokers = \"embeded\""),
        ("brokers = \"embedded\"", "brokers = \"a:70000\""),
        ("brokers = \"embedded\"", "brokers = \"embedded\"\nproperties = { a = [1] }"),
        ("brokers = \"embedded\"", "brokers = \"embedded\"\nproperties = { a = { env = \"A\", file = \"b\" } }"),
        ("brokers = \"embedded\"", "brokers = \"embedded\"\ncreate_topics = { partitions = 0, replication = 1 }"),
        ("topic = \"documents\"", "topic = \"my topic\""),
        ("topic = \"documents\"", "topic = \"documents\"\nstart = \"begin\""),
        ("topic = \"documents\"", "topic = \"documents\"\ncontent_type = \"json\""),
        ("name = \"extract\"", "name = \"sink\""),
        ("module = \"builtin:extract\"", "module = \"https://x/y.wasm\""),
        ("module = \"builtin:extract\"", "module = \"builtin:extract\"\ngrants = [\"lmm\"]"),
        ("module = \"builtin:extract\"", "module = \"builtin:extract\"\nnext = \"Topic\""),
        ("module = \"builtin:extract\"", "module = \"builtin:extract\"\non_failure = \"skp\""),
        ("module = \"builtin:extract\"", "module = \"builtin:extract\"\nlimits = { cpu = \"soon\" }"),
        ("[source]", "[limits]\nmax_in_flight = 0\n[source]"),
        ("[source]", "[limits]\nmax_in_flight_bytes = \"64mb\"\n[source]"),
        ("[source]", "[limits]\nmax_dead_letter_rate = 1.5\n[source]"),
        ("[source]", "[limits]\ndrain_timeout = 30\n[source]"),
        ("[source]", "[models.smart]\ntargets = []\n[source]"),
        ("[source]", "[models.smart]\ntargets = [{ provider = \"opnai\", model = \"x\" }]\n[source]"),
        ("[source]", "[models.smart]\ntargets = [{ provider = \"openai\", model = \"x\", key = \"k\" }]\n[source]"),
        ("[source]", "[models.smart]\ntargets = [{ provider = \"scripted\", model = \"x\" }]\n[source]"),
        ("[source]", "[models.smart]\ntargets = [{ provider = \"gemini\", model = \"models/x\" }]\n[source]"),
        (
            "[source]",
            "[models.smart]\ntargets = [{ provider = \"ollama\", model = \"x\", headers = { a = 1 } }]\n[source]",
        ),
    ];
    for (from, to) in faulty {
        assert!(LEAST.contains(from), "{from}");
        assert!(!validator.is_valid(&json(&LEAST.replacen(from, to, 1))), "{to}");
    }
}

#[test]
fn every_key_has_a_description() {
    fn walk(node: &Value, path: &str) {
        // A key may itself be called "properties", as one of [kafka] is: what is described is a key and no list of keys.
        let keys = node.get("properties").filter(|_| node.get("type").is_some());
        if let Some(properties) = keys.and_then(Value::as_object) {
            for (key, property) in properties {
                let tag = property.get("const").is_some();
                // A branch that is told by its one key is described as a whole.
                let alone = properties.len() == 1 && node.get("description").is_some();
                let described = property.get("description").is_some() || tag || alone;
                assert!(described, "{path}/{key} has no description");
                walk(property, &format!("{path}/{key}"));
            }
        }
        // A key can be called as a keyword of JSON Schema is.
        for (key, inner) in node.as_object().into_iter().flatten().filter(|(key, _)| *key != "properties") {
            walk(inner, &format!("{path}/{key}"));
        }
        for inner in node.as_array().into_iter().flatten() {
            walk(inner, path);
        }
    }
    walk(&schema(), "");
}

/// The reference is what the schema says. `GRISTMILL_BLESS=1` rewrites it.
#[test]
fn the_reference_is_made_of_the_schema() {
    for (name, schema) in [("pipeline-file.md", schema()), ("host-file.md", host_schema())] {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let written = std::fs::read_to_string(&page).unwrap();
        let filled = fill(&written, &schema).unwrap();
        if std::env::var_os("GRISTMILL_BLESS").is_some() {
            std::fs::write(&page, &filled).unwrap();
        } else {
            assert!(written == filled, "docs/{name} differs from the schema; run the test with GRISTMILL_BLESS=1");
        }
    }
}
