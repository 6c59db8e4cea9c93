//! `[traces]` of the host file.

use gristmill_core::settings::{Headers, headers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the spans of traces are sent. Off without an `endpoint` here or in `OTEL_EXPORTER_OTLP_ENDPOINT`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TraceSettings {
    /// The address of an OpenTelemetry collector that takes OTLP over HTTP; `/v1/traces` is appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "pattern" = r"^https?://[^@/?#\s]+(/[^@?#\s]*)?$",
        "x-fault" = "is not the address of a collector",
        "x-form" = "for example \"http://127.0.0.1:4318\", without user name, password and query",
        "x-show" = "none"
    ))]
    pub endpoint: Option<String>,
    /// Headers of each request, for example `authorization`; each a string or a secret, read at the start.
    #[schemars(schema_with = "headers")]
    pub headers: Headers,
    /// Whether spans of models say what they were asked and what they answered: all who read the traces can read that, and what
    /// documents say with it.
    pub capture_message_content: Capture,
    /// Share of the traces that begin with a job which are recorded. A trace that the producer began is recorded if its
    /// `traceparent` says so.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample: f64,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self { endpoint: None, headers: Headers::new(), capture_message_content: Capture::Nothing, sample: 1.0 }
    }
}

/// What spans tell of the contents of prompts and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "bool", into = "bool")]
#[schemars(with = "bool", inline)]
pub enum Capture {
    /// Nothing.
    #[default]
    Nothing,
    /// The messages of each call of a model, cut at 16 KiB.
    Messages,
}

impl From<bool> for Capture {
    fn from(capture: bool) -> Self {
        if capture { Self::Messages } else { Self::Nothing }
    }
}

impl From<Capture> for bool {
    fn from(capture: Capture) -> Self {
        capture == Capture::Messages
    }
}
