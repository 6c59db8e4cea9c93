//! What items must have passed before a stage with a grant sees them.

use super::{LEAST, parse, shown};

const MODELS: &str = "[models.m]\ntargets = [{ provider = \"openai\", model = \"x\" }]\n";

/// The least pipeline that wants `sanitize` before `llm`, with these stages: the name, which is also that of its builtin module,
/// and further lines.
fn with(stages: &[(&str, &str)]) -> Result<super::super::Pipeline, gristmill_config::ConfigError> {
    let (head, _) = LEAST.split_once("[[stage]]").unwrap();
    let mut text = head.replacen("[kafka]", "requires = { llm = [\"sanitize\"] }\n[kafka]", 1);
    for (name, more) in stages {
        text.push_str(&format!("[[stage]]\nname = \"{name}\"\nmodule = \"builtin:{name}\"\n{more}\n"));
    }
    parse(&(text + MODELS))
}

const ASKS: &str = "grants = [\"llm\"]";

#[test]
fn a_stage_that_asks_models_about_raw_items_is_an_error_that_shows_the_way() {
    let shown = shown(with(&[("extract", ""), ("enrich", ASKS), ("sanitize", "")]));
    assert!(shown.contains("stage \"enrich\" may ask models about items that have not passed \"sanitize\""), "{shown}");
    assert!(shown.contains("pipes/p.toml:17:10") && shown.contains("they come by extract → enrich"), "{shown}");
    with(&[("extract", ""), ("sanitize", ""), ("enrich", ASKS)]).unwrap();
}

#[test]
fn every_route_counts() {
    let around = [("language", "branches = { de = \"enrich\" }"), ("sanitize", ""), ("enrich", ASKS)];
    assert!(shown(with(&around)).contains("they come by language → enrich"));
}

#[test]
fn an_item_that_failed_in_a_stage_has_not_passed_it() {
    let rescued = [("sanitize", "on_failure = \"rescue:rescue\""), ("rescue", ASKS)];
    assert!(shown(with(&rescued)).contains("they come by sanitize → rescue"));
    with(&[("sanitize", ""), ("validate", "on_failure = \"rescue:rescue\""), ("rescue", ASKS)]).unwrap();
}

#[test]
fn a_rule_about_a_stage_that_is_not_there_is_an_error() {
    let shown = shown(with(&[("sanitise", ""), ("enrich", ASKS)]));
    assert!(shown.contains("[requires] names no stage: \"sanitize\""), "{shown}");
    assert!(shown.contains("did you mean \"sanitise\"?"), "{shown}");
}
