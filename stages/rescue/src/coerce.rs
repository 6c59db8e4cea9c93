//! Values that only have the wrong type or spelling.

use serde_json::Value;

use crate::lenient::is_number;
use crate::schema::{choices, is_of, types};

/// The value as its schema wants it, as JSON text; `None` if there is not one way only. `text` is the value as it stands.
///
/// A string that holds a number or `true` or `false`, and nothing else, becomes that; a number, `true` or `false` becomes a
/// string. A word that differs from one of those listed only in capitals, spaces, `-` and `_` becomes that one. A value where
/// a list is wanted becomes its only element, and a list with one element where a value is wanted becomes that.
pub(crate) fn coerced(text: &str, schema: &Value) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    if let Value::String(word) = &value {
        let mut same =
            choices(schema).iter().filter(|choice| choice.as_str().is_some_and(|c| folded(c) == folded(word)));
        if let (Some(choice), None) = (same.next(), same.next()) {
            return Some(choice.to_string());
        }
    }
    let wanted = types(schema);
    let fits = |value: &Value| is_of(value, &wanted) && (choices(schema).is_empty() || choices(schema).contains(value));
    if wanted.is_empty() || is_of(&value, &wanted) {
        return None;
    }
    let other = match &value {
        Value::String(word) => match word.trim() {
            number if is_number(number) => number.to_owned(),
            word if word.eq_ignore_ascii_case("true") => "true".into(),
            word if word.eq_ignore_ascii_case("false") => "false".into(),
            _ => return listed(text, &value, schema, &wanted),
        },
        Value::Number(_) | Value::Bool(_) if wanted.contains(&"string") => Value::from(text.trim()).to_string(),
        Value::Array(elements) => match &elements[..] {
            [only] => only.to_string(),
            _ => return None,
        },
        _ => return listed(text, &value, schema, &wanted),
    };
    let is_good = serde_json::from_str(&other).is_ok_and(|other| fits(&other));
    if is_good { Some(other) } else { listed(text, &value, schema, &wanted) }
}

/// The value as the only element of a list.
fn listed(text: &str, value: &Value, schema: &Value, wanted: &[&str]) -> Option<String> {
    let elements = schema.get("items").filter(|_| wanted.contains(&"array"))?;
    is_of(value, &types(elements)).then(|| format!("[{text}]"))
}

/// A word without what people write in different ways.
pub(crate) fn folded(word: &str) -> String {
    word.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_of_the_wrong_type_or_spelling_becomes_the_right_one() {
        for (value, schema, expected) in [
            ("\"12\"", json!({"type": "integer"}), Some("12")),
            ("\" 1.50 \"", json!({"type": ["number", "null"]}), Some("1.50")),
            ("\"12345678901234567890123\"", json!({"type": "number"}), Some("12345678901234567890123")),
            ("\"1.5\"", json!({"type": "integer"}), None),
            ("\"007\"", json!({"type": "integer"}), None),
            ("\"1,5\"", json!({"type": "number"}), None),
            ("\"TRUE\"", json!({"type": "boolean"}), Some("true")),
            ("\"yes\"", json!({"type": "boolean"}), None),
            ("1.50", json!({"type": "string"}), Some("\"1.50\"")),
            ("true", json!({"type": "string"}), Some("\"true\"")),
            ("null", json!({"type": "string"}), None),
            ("\"In Progress\"", json!({"enum": ["open", "in_progress"]}), Some("\"in_progress\"")),
            ("\"A-b\"", json!({"enum": ["ab", "a b"]}), None),
            ("\"closed\"", json!({"enum": ["open"]}), None),
            ("\"a\"", json!({"type": "array", "items": {"type": "string"}}), Some("[\"a\"]")),
            ("\"1\"", json!({"type": "array", "items": {"type": "string"}}), Some("[\"1\"]")),
            ("1", json!({"type": "array", "items": {"type": "string"}}), None),
            ("[\"a\"]", json!({"type": "string"}), Some("\"a\"")),
            ("[\"a\", \"b\"]", json!({"type": "string"}), None),
            ("12", json!({"type": "integer", "maximum": 9}), None),
        ] {
            assert_eq!(coerced(value, &schema).as_deref(), expected, "{value} {schema}");
        }
    }
}
