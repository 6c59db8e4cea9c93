//! Payloads that are JSON or text.

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::{Item, Output, StageError};

impl Item {
    /// The payload as a value of this type.
    ///
    /// ```
    /// use gristmill_sdk::{Item, StageError};
    ///
    /// let item = Item::sample(r#"["a", "b"]"#, Some("application/json"));
    /// assert_eq!(item.json::<Vec<&str>>()?, ["a", "b"]);
    /// # Ok::<(), StageError>(())
    /// ```
    ///
    /// # Errors
    /// A rejection with the code "invalid-json", which says where and what was expected, but repeats nothing of the payload.
    pub fn json<'p, T: Deserialize<'p>>(&'p self) -> Result<T, StageError> {
        serde_json::from_slice(&self.payload).map_err(|error| StageError::reject("invalid-json", reason(&error)))
    }

    /// The payload as text.
    ///
    /// # Errors
    /// A rejection with the code "not-utf8".
    pub fn utf8(&self) -> Result<&str, StageError> {
        self.text().ok_or_else(|| StageError::reject("not-utf8", "the payload is not UTF-8 text"))
    }
}

impl Output {
    /// Replaces the payload by a value as JSON, and the media type by "application/json".
    ///
    /// ```
    /// use gristmill_sdk::serde_json::json;
    /// use gristmill_sdk::{Item, Output, StageError};
    ///
    /// let item = Item::sample("hello", Some("text/plain"));
    /// let output = Output::from(&item).json(&json!({ "words": 1 }))?;
    /// assert_eq!(output.payload, br#"{"words":1}"#);
    /// # Ok::<(), StageError>(())
    /// ```
    ///
    /// # Errors
    /// The value cannot be written as JSON: a map has keys that are no text.
    pub fn json(self, value: &impl Serialize) -> Result<Self, StageError> {
        Ok(self.payload(serde_json::to_vec(value)?).content_type("application/json"))
    }
}

/// What is wrong with JSON, without the words of the data: they may be secret, and reasons reach logs and dead letters.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let place = match (error.line(), error.column()) {
        (0, _) => String::new(),
        (line, column) => format!(" at line {line} column {column}"),
    };
    match error.classify() {
        Category::Eof => format!("the JSON ends too early{place}"),
        Category::Syntax | Category::Io => format!("this is not JSON{place}"),
        Category::Data => format!("the JSON does not fit{place}{}", wish(&error.to_string())),
    }
}

/// The part of serde's message that comes from the type and not from the data.
fn wish(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if message.starts_with("missing field `") {
        return format!(": {message}");
    }
    message.rsplit_once(", expected ").map(|(_, wish)| format!(": expected {wish}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[allow(dead_code, reason = "only read")]
        amount: u32,
    }

    fn fault(payload: &str) -> String {
        let item = Item::sample(payload, Some("application/json"));
        match item.json::<Order>() {
            Err(StageError::Reject(failure)) if failure.code == "invalid-json" => failure.message,
            other => panic!("not rejected: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_a_payload_is_said_without_its_words() {
        assert_eq!(fault("{}"), "the JSON does not fit at line 1 column 2: missing field `amount`");
        assert_eq!(fault(r#"{"amount": "secret"}"#), "the JSON does not fit at line 1 column 19: expected u32");
        assert_eq!(
            fault(r#"{"amount": 1, "secret": 1}"#),
            "the JSON does not fit at line 1 column 22: expected `amount`"
        );
        assert_eq!(fault(r#"{"amount": 1"#), "the JSON ends too early at line 1 column 12");
        assert_eq!(fault("secret"), "this is not JSON at line 1 column 1");
    }
}
