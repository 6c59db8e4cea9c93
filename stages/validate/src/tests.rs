//! The stage as a whole.

use gristmill_sdk::{Attribute, ConfigFault, Header, Item, Outcome, Stage};
use serde_json::{Value, json};

use crate::{Config, Validate};

fn create(config: Value) -> Result<Validate, Vec<ConfigFault>> {
    Validate::new(serde_json::from_value::<Config>(config).unwrap())
}

fn outcome(config: Value, payload: &str, media_type: Option<&str>) -> Outcome {
    create(config).unwrap().process(Item::sample(payload, media_type)).unwrap()
}

/// The rejection's code, or "" if the item passes.
fn code(config: Value, payload: &str, media_type: Option<&str>) -> String {
    match outcome(config, payload, media_type) {
        Outcome::Emit(_) => String::new(),
        Outcome::Reject(failure) => failure.code,
        Outcome::Drop(reason) => panic!("dropped: {reason}"),
    }
}

fn config_faults(config: Value) -> Vec<String> {
    create(config).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
}

const JSON: Option<&str> = Some("application/json");

#[test]
fn a_valid_item_passes_unchanged() {
    let mut item =
        Item::sample("\u{feff} {\"id\": 1E5,\t\"n\": 1.10} \n", Some("application/vnd.x+json; charset=utf-8"));
    item.headers.push(Header { name: "h".into(), value: None });
    item.attributes.push(Attribute { name: "chunk.ordinal".into(), value: "1".into() });
    let config = json!({"schema": {"required": ["id"]}, "require": ["/id"]});
    let Outcome::Emit(outputs) = create(config).unwrap().process(item.clone()).unwrap() else { panic!("not emitted") };
    let [output] = &outputs[..] else { panic!("{} outputs", outputs.len()) };
    assert_eq!(output.payload, item.payload);
    assert_eq!((&output.content_type, &output.headers), (&item.content_type, &item.headers));
    assert!(output.attributes.is_empty() && output.branch.is_none());
}

#[test]
fn faults_of_schema_and_rules_are_reported_together() {
    let config = json!({"schema": {"properties": {"id": {"type": "integer"}}}, "require": ["/name"]});
    let Outcome::Reject(failure) = outcome(config, r#"{"id": "x"}"#, JSON) else { panic!("not rejected") };
    assert_eq!(failure.code, "validation-failed");
    assert_eq!(failure.message, r#"2 faults: /id: value is not of type "integer"; /name: is required"#);
}

#[test]
fn text_has_a_length_in_characters() {
    let config = json!({"min_text_length": 2, "max_text_length": 3});
    assert_eq!(code(config.clone(), "äöü", Some("text/plain")), "");
    assert_eq!(code(config.clone(), "äö", None), "");
    assert_eq!(code(config.clone(), "äöüß", Some("text/plain")), "validation-failed");
    assert_eq!(code(config.clone(), "\u{feff}äöü", None), "", "a byte order mark is no character of the text");
    let Outcome::Reject(failure) = outcome(config, "ä", None) else { panic!("not rejected") };
    assert_eq!(failure.message, "1 fault: the item: must have 2 to 3 characters");
}

#[test]
fn text_rules_do_not_apply_to_json_items() {
    assert_eq!(code(json!({"max_text_length": 1}), r#"{"a": 1}"#, JSON), "");
    assert_eq!(code(json!({"max_text_length": 1}), r#"{"a": "#, JSON), "invalid-json");
}

#[test]
fn json_checks_reject_text_items_but_read_untyped_ones() {
    let config = json!({"require": ["/a"]});
    assert_eq!(code(config.clone(), r#"{"a": 1}"#, Some("text/plain")), "not-json");
    assert_eq!(code(config.clone(), r#"{"a": 1}"#, None), "");
    assert_eq!(code(config, "plain", None), "invalid-json");
}

#[test]
fn an_item_that_cannot_be_read_is_rejected() {
    let config = json!({"require": ["/a"]});
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(code(config.clone(), &nested(127), JSON), "validation-failed");
    assert_eq!(code(config.clone(), &nested(128), JSON), "invalid-json");
    assert_eq!(code(config.clone(), "%PDF", Some("application/pdf")), "unsupported-type");
    let item = Item::sample(*b"\xff", JSON);
    let Outcome::Reject(failure) = create(config).unwrap().process(item).unwrap() else { panic!("not rejected") };
    assert_eq!(failure.code, "not-utf8");
}

#[test]
fn text_json_is_json() {
    assert_eq!(code(json!({"require": ["/a"]}), r#"{"a": 1}"#, Some("text/json; charset=utf-8")), "");
    assert_eq!(code(json!({"max_text_length": 1}), r#"{"a": 1}"#, Some("text/json")), "");
}

#[test]
fn a_member_given_twice_is_reported_with_the_other_faults() {
    let config = json!({"schema": {"properties": {"n": {"type": "number"}}}, "require": ["/b"]});
    let Outcome::Reject(failure) = outcome(config, r#"{"n": "x", "n": 1}"#, JSON) else { panic!("not rejected") };
    assert_eq!(failure.message, "2 faults: /n: is given more than once; /b: is required");
}

#[test]
fn invalid_json_is_not_quoted() {
    for payload in [r#"{"a": jane}"#, r#"{"a": "jane" "b": 1}"#, r#"{"jane": 1,}"#, "\"jane\u{1}\"", "1jane", "[\"jane"]
    {
        let outcome = outcome(json!({"require": ["/a"]}), payload, JSON);
        let Outcome::Reject(failure) = outcome else { panic!("not rejected: {payload}") };
        assert!(!failure.message.contains("jane") && failure.message.contains("line 1 column"), "{}", failure.message);
    }
}

#[test]
fn a_configuration_that_checks_nothing_is_a_fault() {
    assert_eq!(config_faults(json!({})), [""]);
    assert_eq!(config_faults(json!({"formats": true})), [""]);
}

#[test]
fn all_faults_of_a_configuration_are_reported() {
    let config = json!({
        "schema": {"pattern": "("}, "require": ["a"], "min_text_length": 2, "max_text_length": 1,
    });
    assert_eq!(config_faults(config), ["/require/0", "/min_text_length", "/schema/pattern"]);
}

#[test]
fn the_config_schema_agrees_with_the_type() {
    let schema: Value = serde_json::from_str(include_str!("../config.schema.json")).unwrap();
    let accepts = |config: Value| {
        let fits = jsonschema::is_valid(&schema, &config);
        let created =
            serde_json::from_value::<Config>(config.clone()).is_ok_and(|config| Validate::new(config).is_ok());
        assert_eq!(fits, created, "{config}");
        fits
    };
    assert!(accepts(json!({"schema": true, "formats": true})));
    assert!(accepts(json!({"min_text_length": 0, "max_text_length": 9})));
    assert!(accepts(json!({
        "require": ["", "/a~1b"], "allowed": {"/s": [1, null]},
        "range": {"/n": {"min": -0.5}}, "length": {"/t": {"min": 1, "max": 2}},
    })));
    assert!(!accepts(json!({"require": ["a"]})));
    assert!(!accepts(json!({"require": ["/a~b"]})));
    assert!(!accepts(json!({"allowed": {"/s": []}})));
    assert!(!accepts(json!({"range": {"/n": {}}})));
    assert!(!accepts(json!({"range": {"/n": {"minimum": 1}}})));
    assert!(!accepts(json!({"length": {"/n": {"min": -1}}})));
    assert!(!accepts(json!({"length": {"n": {"min": 1}}})));
    assert!(!accepts(json!({"schema": "text"})));
    assert!(!accepts(json!({"unknown": 1})));
}
