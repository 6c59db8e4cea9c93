//! What is found in whole pipelines, and what is not.

use std::path::Path;
use std::sync::Arc;

use gristmill_wasm::{Described, Description, Start, Unrouted};
use serde_json::{Value, json};

use super::check;
use crate::settings::Pipeline;

/// A stage as it says of itself, and as the file names it.
struct Stage {
    name: &'static str,
    file: &'static str,
    accepts: &'static [&'static str],
    branches: &'static [&'static str],
    schema: Value,
}

impl Stage {
    fn new(name: &'static str) -> Self {
        Self { name, file: "", accepts: &[], branches: &[], schema: json!({}) }
    }

    fn accepts(self, accepts: &'static [&'static str]) -> Self {
        Self { accepts, ..self }
    }

    fn file(self, file: &'static str) -> Self {
        Self { file, ..self }
    }

    fn said(self, said: Value) -> Self {
        Self { schema: json!({ "x-gristmill": said }), ..self }
    }

    fn described(&self) -> Described {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Described {
            description: Description {
                accepts: owned(self.accepts),
                branches: owned(self.branches),
                ..Description::default()
            },
            digest: "".into(),
            start: Start::Snapshot,
            schema: Some(Arc::from(self.schema.to_string())),
            unrouted: Unrouted::Unasked,
        }
    }
}

const HEAD: &str = "name = \"p\"\nkafka = { brokers = \"h:1\" }\nsource = { topic = \"in\" }\nsink = { topic = \"out\" }\n\
                    dead_letter = { topic = \"dead\" }\n";

const MODELS: &str = "[models.smart]\ntargets = [{ provider = \"openai\", model = \"x\" }]\n\
                      [models.small]\ntargets = [{ provider = \"anthropic\", model = \"y\" }]\n";

/// What is found, errors first.
fn found(stages: &[Stage]) -> Vec<String> {
    found_with(stages, MODELS)
}

fn found_with(stages: &[Stage], models: &str) -> Vec<String> {
    let mut text = HEAD.to_owned();
    for stage in stages {
        text.push_str(&format!("[[stage]]\nname = \"{}\"\nmodule = \"{0}.wasm\"\n{}\n", stage.name, stage.file));
    }
    let pipeline = Pipeline::parse(&(text + models), Path::new("p.toml")).unwrap();
    let described: Vec<Described> = stages.iter().map(Stage::described).collect();
    let findings = check(&pipeline, &described);
    findings.faults.iter().chain(&findings.warnings).map(ToString::to_string).collect()
}

#[track_caller]
fn assert_one(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "{part:?} is not in:\n{}", found[0]);
    }
}

#[test]
fn a_stage_that_accepts_nothing_of_what_it_gets_is_an_error() {
    let stages =
        [Stage::new("ask").said(json!({ "emits": ["application/json"] })), Stage::new("cut").accepts(&["text/*"])];
    assert_one(
        &found(&stages),
        &[
            "error: stage \"cut\" accepts nothing of what stage \"ask\" emits",
            "p.toml:12:10",
            "it accepts text/*, and gets application/json",
        ],
    );
}

#[test]
fn a_part_that_is_rejected_is_a_warning_unless_the_file_says_what_becomes_of_it() {
    let stages = |file| {
        [
            Stage::new("read").said(json!({ "emits": ["text/plain", "text/markdown"] })),
            Stage::new("pass").said(json!({ "emits": ["unchanged", "application/json"] })),
            Stage::new("cut").accepts(&["text/*"]).file(file),
        ]
    };
    assert_one(
        &found(&stages("")),
        &["warning: stage \"cut\" rejects a part of what stage \"pass\" emits: application/json"],
    );
    assert!(found(&stages("on_failure = \"skip\"")).is_empty());
}

#[test]
fn what_is_not_declared_is_not_guessed() {
    let unknown = [Stage::new("a"), Stage::new("b").accepts(&["image/png"])];
    assert!(found(&unknown).is_empty());
    let first = [Stage::new("a").said(json!({ "emits": ["unchanged"] })), Stage::new("b").accepts(&["image/png"])];
    assert!(found(&first).is_empty(), "an event can be of any type");
    let by_branch = [
        Stage { branches: &["x"], ..Stage::new("a").file("branches = { x = \"b\" }\nnext = \"c\"") }
            .said(json!({ "emits": ["text/plain"] })),
        Stage::new("b").accepts(&["image/png"]),
        Stage::new("c"),
    ];
    assert!(found(&by_branch).is_empty());
}

#[test]
fn a_stage_that_gathers_gets_json() {
    let stages = [
        Stage::new("a").said(json!({ "emits": ["text/plain"] })),
        Stage::new("b").accepts(&["text/*"]).file("gather = true"),
    ];
    assert_one(&found(&stages), &["gets application/json"]);
}

#[test]
fn schemas_of_neighbours_that_contradict_each_other_are_an_error() {
    let total =
        |kind: &str| json!({ "type": "object", "properties": { "total": { "type": kind } }, "required": ["total"] });
    let stages = |kind: &str| {
        [
            Stage::new("sum").said(json!({ "output": total("string") })),
            Stage::new("book").said(json!({ "input": total(kind) })),
        ]
    };
    assert_one(
        &found(&stages("number")),
        &[
            "error: stage \"book\" can take nothing of what stage \"sum\" emits",
            "\"/total\" is string there, and must be number here",
        ],
    );
    assert!(found(&stages("string")).is_empty());
}

fn asking(config: &'static str) -> Stage {
    let schema = json!({ "properties": { "model": { "x-gristmill": "model-alias" } } });
    Stage { schema, ..Stage::new("ask").file(config) }
}

#[test]
fn a_model_that_is_not_there_is_an_error_at_its_name() {
    let stages = [asking("grants = [\"llm\"]\nconfig = { model = \"smrt\" }")];
    assert_one(
        &found(&stages),
        &[
            "error: stage \"ask\" asks the model \"smrt\", which is not there",
            "p.toml:10:20",
            "did you mean \"smart\"? models are: small, smart",
        ],
    );
    assert!(found(&[asking("grants = [\"llm\"]\nconfig = { model = \"smart\" }")]).is_empty());
    assert!(found(&[asking("config = { model = \"smrt\" }")]).is_empty(), "it asks none");
}

#[test]
fn a_stage_that_names_none_of_several_models_is_an_error() {
    let stages = [asking("grants = [\"llm\"]")];
    assert_one(&found(&stages), &["error: stage \"ask\" names no model", "name one of small, smart"]);
    let only = "[models.smart]\ntargets = [{ provider = \"openai\", model = \"x\" }]\n";
    assert!(found_with(&stages, only).is_empty());
    assert!(found_with(&stages, &MODELS.replace("smart", "default")).is_empty());
}

#[test]
fn a_model_without_vectors_is_no_model_for_vectors() {
    let stages = |model| {
        [asking(if model {
            "grants = [\"embeddings\"]\nconfig = { model = \"smart\" }"
        } else {
            "grants = [\"embeddings\"]\nconfig = { model = \"small\" }"
        })]
    };
    assert_one(&found(&stages(false)), &["asks \"small\" for vectors, which its first target does not make"]);
    assert!(found(&stages(true)).is_empty());
}

#[test]
fn a_branch_without_a_route_is_a_warning_unless_the_stage_asks() {
    let lost = Stage { branches: &["a", "b"], ..Stage::new("sort").file("branches = { a = \"drop\" }") };
    assert_one(&found(std::slice::from_ref(&lost)), &["warning", "\"sort\" emits on these branches has no route: b"]);
    let pipeline = format!("{HEAD}[[stage]]\nname = \"sort\"\nmodule = \"s.wasm\"\n");
    let pipeline = Pipeline::parse(&pipeline, Path::new("p.toml")).unwrap();
    let asks = Described { unrouted: Unrouted::Asked, ..lost.described() };
    assert!(check(&pipeline, &[asks]).warnings.is_empty());
}

#[test]
fn a_pipeline_that_nothing_leaves_is_a_warning() {
    let stages = [Stage::new("a"), Stage::new("b").file("next = \"drop\"")];
    assert_one(&found(&stages), &["warning: no route leads to the sink \"out\""]);
    assert!(found(&[Stage::new("a").file("next = \"topic:other\"")]).is_empty());
}

#[test]
fn attempts_that_multiply_are_told_with_their_numbers() {
    let stages = |file| [asking(file)];
    let many = stages("grants = [\"llm\"]\nconfig = { model = \"smart\" }\nretry = { attempts = 18 }");
    assert_one(
        &found(&many),
        &["one request of stage \"ask\" can call models 54 times", "18 attempts × 1 targets of \"smart\" × 3 times"],
    );
    assert!(found(&stages("grants = [\"llm\"]\nconfig = { model = \"smart\" }\nretry = { attempts = 10 }")).is_empty());
}

#[test]
fn times_that_end_before_those_within_them_are_warned_of() {
    let stages = [asking("grants = [\"llm\"]\nconfig = { model = \"smart\" }\nlimits = { wall = \"30s\" }")];
    assert_one(
        &found(&stages),
        &["stopped before the model \"smart\" has had its time", "timeout of 1m, and limits.wall is 30s"],
    );
    let late = [Stage::new("a").file("retry = { attempts = 50 }")];
    assert_one(&found(&late), &["of the 50 attempts of stage \"a\", only 19 can begin before its deadline"]);
}

#[test]
fn an_annotation_that_nobody_knows_is_told() {
    let stages = [Stage::new("a").said(json!({ "emit": ["text/plain"] }))];
    assert_one(&found(&stages), &["warning: stage \"a\": its schema has an \"x-gristmill\" that nobody knows: emit"]);
}
