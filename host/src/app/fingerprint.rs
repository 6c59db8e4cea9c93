//! What distinguishes the outcomes of one version of a stage from those of another.

use std::collections::BTreeMap;

use gristmill_core::flow::Fingerprint;
use gristmill_core::model::{Canonical, Target, Write};
use serde_json::Value;

/// A digest of everything that a stage decides by, beside its items: its code, its configuration, and which of its
/// branches have a route; where those lead is not its business. Do not change the encoding: stores know outcomes by it.
pub(super) fn of(module: &str, config: &Value, branches: &BTreeMap<String, Target>) -> Fingerprint {
    let mut digest = Canonical::digest("gristmill stage 1");
    digest.text(module);
    encode(config, &mut digest);
    digest.number(branches.len() as u64);
    for label in branches.keys() {
        digest.text(label);
    }
    Fingerprint(digest.finish())
}

/// A JSON value with the keys of every object in order: in which order a file names them decides nothing.
fn encode(value: &Value, to: &mut Canonical<impl Write>) {
    match value {
        Value::Null => to.kind(0),
        Value::Bool(flag) => {
            to.kind(1);
            to.kind(u8::from(*flag));
        }
        Value::Number(number) => {
            to.kind(2);
            to.text(&number.to_string());
        }
        Value::String(text) => {
            to.kind(3);
            to.text(text);
        }
        Value::Array(elements) => {
            to.kind(4);
            to.number(elements.len() as u64);
            for element in elements {
                encode(element, to);
            }
        }
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            to.kind(5);
            to.number(entries.len() as u64);
            for (key, value) in entries {
                to.text(key);
                encode(value, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_stage_decides_by_distinguishes_versions() {
        let to = |target: Target| BTreeMap::from([("a".to_owned(), target)]);
        let of = |module: &str, config: &Value| super::of(module, config, &BTreeMap::new());
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = parsed(r#"{"a": 1, "b": {"c": [1, 2], "d": null}}"#);
        let same = parsed(r#"{"b": {"d": null, "c": [1, 2]}, "a": 1}"#);
        assert_eq!(of("module", &one), of("module", &same));
        for (module, config) in [
            ("other", one.clone()),
            ("module", json!({"a": 1, "b": {"c": [2, 1], "d": null}})),
            ("module", json!({"a": "1", "b": {"c": [1, 2], "d": null}})),
            ("module", json!({"a": 1, "b": {"c": [1, 2]}})),
            ("module", json!({})),
        ] {
            assert_ne!(of("module", &one), of(module, &config), "{module} {config}");
        }
        assert_ne!(of("module", &one), super::of("module", &one, &to(Target::Sink)));
        assert_eq!(super::of("module", &one, &to(Target::Drop)), super::of("module", &one, &to(Target::Sink)));
    }
}
