//! What tells the outcomes of one version of a stage from those of another.

use serde_json::Value;
use sha2::{Digest, Sha256};

use gristmill_core::flow::Fingerprint;

/// A digest of a stage's code and configuration. Do not change the encoding: stores know outcomes by it.
pub(super) fn of(module: &str, config: &Value) -> Fingerprint {
    let mut text = String::from(module);
    text.push('\n');
    write(config, &mut text);
    Fingerprint(Sha256::digest(text).into())
}

/// The JSON of a value with the keys of every object in order: in which order a file names them decides nothing.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(elements) => {
            text.push('[');
            for element in elements {
                write(element, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_code_and_configuration_tell_versions_apart() {
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
    }
}
