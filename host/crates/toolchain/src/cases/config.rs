//! A stage's configuration in TOML, as the stage gets it: in JSON, dates as text, as in a pipeline file.

use serde_json::Value;
use toml::Table;

/// The configuration that a text in TOML stands for.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn config(text: &str) -> Result<Value, String> {
    text.parse::<Table>().map(of_table).map_err(|error| error.to_string())
}

/// The same of a table.
pub(super) fn of_table(table: Table) -> Value {
    Value::Object(table.into_iter().map(|(key, value)| (key, of(value))).collect())
}

fn of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(of).collect(),
        toml::Value::Table(table) => of_table(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_become_json() {
        let text = "a = 1\nb = { c = [true, 0.5], d = 2026-01-31 }";
        assert_eq!(config(text).unwrap(), json!({"a": 1, "b": {"c": [true, 0.5], "d": "2026-01-31"}}));
        assert!(config("a = ").unwrap_err().contains("line 1"));
    }
}
