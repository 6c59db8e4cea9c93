//! What comes out of a case, as its file says it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_core::model::{Attribute, Failure, Header, Outcome, Output};
use gristmill_core::ports::StageError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What comes out of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expected {
    /// Items for the next stage.
    Emit {
        /// These, in this order.
        #[serde(default, rename = "output", skip_serializing_if = "Vec::is_empty")]
        outputs: Vec<ExpectedOutput>,
    },
    /// Nothing, on purpose.
    Drop {
        /// Why.
        code: String,
    },
    /// The data is bad.
    Reject(Problem),
    /// It will always fail.
    Permanent(Problem),
    /// It may work later.
    Retryable(Problem),
    /// All have to wait.
    RateLimited(Problem),
    /// The stage broke.
    Trap(Problem),
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Its code.
    pub code: String,
    /// Its message.
    pub message: String,
    /// Its details, in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The least time to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// One item that comes out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedOutput {
    /// The branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The key, if the stage sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The payload, if it is a JSON object or array, indented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// The payload, if it is other text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The payload, if it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// All headers, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The attributes that the stage sets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl Expected {
    /// The name of its file.
    pub const FILE: &str = "expected.toml";

    /// What came out of a call. `None` if the host could not make it.
    #[must_use]
    pub fn of(result: &Result<Outcome, StageError>) -> Option<Self> {
        Some(match result {
            Ok(Outcome::Emit(outputs)) => Self::Emit { outputs: outputs.iter().map(ExpectedOutput::of).collect() },
            Ok(Outcome::Drop(code)) => Self::Drop { code: code.clone() },
            Ok(Outcome::Reject(failure)) => Self::Reject(Problem::of(failure)),
            Err(StageError::Permanent(failure)) => Self::Permanent(Problem::of(failure)),
            Err(StageError::Trap(failure)) => Self::Trap(Problem::of(failure)),
            Err(StageError::Retry { failure, after }) => Self::Retryable(Problem::of(failure).after(*after)),
            Err(StageError::Slow { failure, after, .. }) => Self::RateLimited(Problem::of(failure).after(*after)),
            Err(StageError::Store(_) | StageError::Host(_)) => return None,
        })
    }

    /// The text of its file.
    #[must_use]
    pub fn render(&self) -> String {
        // There is no value in it that TOML does not have.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Whether the two say the same; JSON may be written in any way.
    #[must_use]
    pub fn says(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }

    fn plain(&self) -> Self {
        let mut plain = self.clone();
        if let Self::Emit { outputs } = &mut plain {
            for output in outputs {
                output.json = output.json.take().map(|json| indented(&json).unwrap_or(json));
            }
        }
        plain
    }
}

impl Problem {
    fn of(failure: &Failure) -> Self {
        Self {
            code: failure.code.to_string(),
            message: failure.message.to_string(),
            details: failure.details.as_ref().map(ToString::to_string),
            after_ms: None,
        }
    }

    fn after(mut self, after: Option<std::time::Duration>) -> Self {
        self.after_ms = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        self
    }
}

impl ExpectedOutput {
    fn of(output: &Output) -> Self {
        let Output { payload, content_type, key, headers, attributes, branch } = output;
        let mut expected = Self {
            branch: branch.clone(),
            content_type: content_type.clone(),
            key: key.as_deref().map(shown),
            headers: headers
                .iter()
                .map(|Header { name, value }| (name.to_string(), value.as_deref().map_or_else(String::new, shown)))
                .collect(),
            attributes: attributes.iter().map(|Attribute { name, value }| (name.clone(), value.clone())).collect(),
            ..Self::default()
        };
        match std::str::from_utf8(payload) {
            Ok(text) => match indented(text) {
                Some(json) => expected.json = Some(json),
                None => expected.text = Some(text.to_owned()),
            },
            Err(_) => expected.base64 = Some(BASE64_STANDARD.encode(payload)),
        }
        expected
    }
}

/// A JSON object or array in lines. Numbers, texts and the like are text.
fn indented(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then(|| serde_json::to_string_pretty(&value).ok())?
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("base64:{}", BASE64_STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn output(payload: &[u8]) -> Output {
        Output {
            payload: payload.to_vec().into(),
            content_type: Some("text/plain".into()),
            key: None,
            headers: vec![Header { name: "x".into(), value: Some(b"y".to_vec().into()) }],
            attributes: vec![Attribute { name: "a.b".into(), value: "1".into() }],
            branch: None,
        }
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        let failure = Failure::new("bad", "it is bad");
        let outputs = [&b"two\nlines\n"[..], b"{\"b\":[1,null],\"a\":\"'''\"}", b"\xff\0", b"17", b""];
        let results = [
            Ok(Outcome::Emit(outputs.iter().map(|payload| output(payload)).collect())),
            Ok(Outcome::Emit(Vec::new())),
            Ok(Outcome::Drop("too-short".into())),
            Ok(Outcome::Reject(failure.clone())),
            Err(StageError::Permanent(failure.clone())),
            Err(StageError::Retry { failure: failure.clone(), after: Some(Duration::from_millis(1_500)) }),
            Err(StageError::Trap(failure)),
        ];
        for result in results {
            let expected = Expected::of(&result).unwrap();
            let text = expected.render();
            let read: Expected = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_payload_of_several_lines_is_readable() {
        let expected = Expected::of(&Ok(Outcome::Emit(vec![output(b"one\ntwo\n")]))).unwrap();
        assert!(expected.render().contains("\none\ntwo\n"), "{}", expected.render());
    }

    #[test]
    fn json_may_be_written_in_any_way_but_nothing_else() {
        let emit = |json: Option<&str>, text: Option<&str>| Expected::Emit {
            outputs: vec![ExpectedOutput {
                json: json.map(Into::into),
                text: text.map(Into::into),
                ..Default::default()
            }],
        };
        assert!(emit(Some("{\"a\":1}"), None).says(&emit(Some("{ \"a\": 1 }\n"), None)));
        assert!(!emit(Some("{\"a\":1}"), None).says(&emit(Some("{\"a\":2}"), None)));
        assert!(!emit(None, Some("a")).says(&emit(None, Some("a "))));
    }
}
