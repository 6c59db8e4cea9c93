//! The rules: what each accepts, and faults in the rules themselves.

use serde_json::json;

use super::*;

fn rules(config: Value) -> Rules {
    let part = |name: &str| config.get(name).cloned();
    Rules {
        require: part("require").map(|value| serde_json::from_value(value).unwrap()).unwrap_or_default(),
        allowed: part("allowed").map(|value| serde_json::from_value(value).unwrap()).unwrap_or_default(),
        range: part("range").map(|value| serde_json::from_value(value).unwrap()).unwrap_or_default(),
        length: part("length").map(|value| serde_json::from_value(value).unwrap()).unwrap_or_default(),
    }
}

fn message(config: Value, item: Value) -> Option<String> {
    let mut faults = Faults::default();
    rules(config).check(&item, &mut faults);
    faults.rejection().map(|failure| failure.message)
}

fn passes(config: Value, item: Value) -> bool {
    message(config, item).is_none()
}

#[test]
fn a_required_value_exists_and_is_not_empty() {
    let require = json!({"require": ["/a/b"]});
    for full in [json!("x"), json!(0), json!(false), json!([0]), json!({"c": null})] {
        assert!(passes(require.clone(), json!({"a": {"b": full}})));
    }
    for empty in [json!(null), json!(""), json!(" \n"), json!([]), json!({})] {
        assert!(!passes(require.clone(), json!({"a": {"b": empty}})));
    }
    assert_eq!(message(require.clone(), json!({})).unwrap(), "1 fault: /a/b: is required");
    assert_eq!(message(require, json!({"a": {"b": ""}})).unwrap(), "1 fault: /a/b: is required and must not be empty");
}

#[test]
fn only_an_allowed_value_passes() {
    let allowed = json!({"allowed": {"/status": ["open", "closed"], "/n": [1, 2.5]}});
    assert!(passes(allowed.clone(), json!({"status": "open", "n": 1.0})));
    assert_eq!(
        message(allowed, json!({"status": "secret", "n": "1"})).unwrap(),
        r#"2 faults: /n: must be one of [1,2.5]; /status: must be one of ["open","closed"]"#
    );
}

#[test]
fn numbers_are_equal_by_value_at_any_depth_and_integers_exactly() {
    let allowed = json!({"allowed": {"/n": [[1, {"a": 2}], 9007199254740993_i64]}});
    assert!(passes(allowed.clone(), json!({"n": [1.0, {"a": 2.0}]})));
    assert!(passes(allowed.clone(), json!({"n": 9007199254740993_i64})));
    for other in [json!([1, {"a": 2, "b": 1}]), json!([1, {"b": 2}]), json!([1]), json!(9007199254740992_i64)] {
        assert!(!passes(allowed.clone(), json!({ "n": other })), "{other}");
    }
}

#[test]
fn a_range_includes_its_bounds() {
    let range = json!({"range": {"/score": {"min": 0, "max": 1}}});
    for score in [json!(0), json!(0.5), json!(1), json!(1.0)] {
        assert!(passes(range.clone(), json!({"score": score})));
    }
    for score in [json!(-0.001), json!(1.001), json!("0.5"), json!(true)] {
        assert!(!passes(range.clone(), json!({"score": score})));
    }
    assert_eq!(message(range, json!({"score": 7})).unwrap(), "1 fault: /score: must be a number (0 to 1)");
    assert!(passes(json!({"range": {"/a": {"min": 3}}}), json!({"a": 1e300})));
}

#[test]
fn a_length_counts_characters_and_elements() {
    let length = json!({"length": {"/body": {"min": 1, "max": 2}}});
    assert!(passes(length.clone(), json!({"body": "äö"})));
    assert!(passes(length.clone(), json!({"body": [1]})));
    for body in [json!(""), json!("äöü"), json!([]), json!(1), json!({"a": 1})] {
        assert!(!passes(length.clone(), json!({"body": body})));
    }
    let expected = "1 fault: /body: must be a string or list with a length of 1 to 2";
    assert_eq!(message(length, json!({"body": ""})).unwrap(), expected);
}

#[test]
fn only_require_checks_an_absent_or_null_value() {
    let config = json!({
        "allowed": {"/a": [1]}, "range": {"/a": {"min": 1}}, "length": {"/a": {"min": 1}},
    });
    assert!(passes(config.clone(), json!({})));
    assert!(passes(config, json!({"a": null})));
}

#[test]
fn faults_in_the_rules_are_reported_at_their_place() {
    let config = json!({
        "require": ["/ok", "bad", "/a~2"],
        "allowed": {"bad": [1], "/x/y": []},
        "range": {"/r": {}, "/s": {"min": 2, "max": 1}},
        "length": {"/l": {"min": 2, "max": 1}},
    });
    let pointers: Vec<_> = rules(config).config_faults().into_iter().map(|fault| fault.pointer).collect();
    let expected =
        ["/require/1", "/require/2", "/allowed/bad", "/allowed/~1x~1y", "/range/~1r", "/range/~1s", "/length/~1l"];
    assert_eq!(pointers, expected);
}
