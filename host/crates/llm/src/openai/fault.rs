//! Reads what a server says about an error, and decides what becomes of the call. Pure.

use gristmill_core::model::ChatFailure;
use serde_json::Value;

use crate::answered::Unanswered;
use crate::quote::Quote;
use crate::retry_after::Refusal;
use crate::server::Reply;
use crate::status;

/// How servers without a code for it say "too long". A last resort, tried only on a 400.
const TOO_LONG_WORDS: [&str; 5] = [
    "maximum context length",
    "exceeds the available context size",
    "exceeds the maximum number of tokens",
    "exceed context window",
    "prompt is too long",
];

/// How OpenAI says that a model has thought up to the limit on output tokens.
const ENDED_BY_LENGTH_WORDS: &str = "model output limit was reached";

/// How servers say, with the status of a rate limit, that a single request is above it: it would never succeed.
const TOO_LARGE_WORDS: [&str; 2] = ["request too large", "request is too large"];

/// What an error's type or code says more precisely than the status.
#[derive(Clone, Copy)]
enum Meaning {
    /// Somebody must pay first, whatever the status: retrying does not help.
    NoMoney,
    TooLong,
    Filtered,
    NoSuchModel,
    /// The model's answer was no JSON, and the server kept it: another one may be.
    BadAnswer,
}

/// An error as the server reports it.
pub(super) struct Fault<'a> {
    /// What is said about how long to wait.
    refusal: Refusal<'a>,
    /// The status of the reply, or the one that the error names if the reply itself claims success.
    status: u16,
    /// What the server says, as JSON.
    error: &'a Value,
    /// The code and type in lower case, as far as they are given.
    codes: Vec<String>,
    /// The server's message, if it may be repeated.
    message: Option<String>,
    /// All of the above in one sentence, with the sender.
    text: String,
}

impl<'a> Fault<'a> {
    /// The error of a reply, if it is one. OpenAI says `{"error": {"message", "type", "code"}}`, Ollama
    /// `{"error": "…"}`, older vLLM puts the three at the top level, FastAPI says `{"detail": "…"}`, Google's servers put
    /// it into a list, OpenRouter also into the choice. Gateways like to send any of these with 200.
    pub(super) fn find(target: &str, reply: &'a Reply, body: &'a Value, quote: &Quote<'_>) -> Option<Self> {
        let body = if body.is_array() { &body[0] } else { body };
        let told = [&body["error"], &body["choices"][0]["error"]].into_iter().find(|error| is_told(error));
        let error = match (told, reply.status.is_success()) {
            (Some(error), _) => error,
            (None, true) if body["choices"].is_array() || number(body).is_none() => return None,
            (None, _) => body,
        };
        Some(Self::read(target, reply, error, quote))
    }

    fn read(target: &str, reply: &'a Reply, error: &'a Value, quote: &Quote<'_>) -> Self {
        let said = error.as_str().or(error["message"].as_str()).or(error["detail"].as_str());
        let message = said.and_then(|said| quote.message(said));
        let mut codes = Vec::new();
        for name in ["code", "type"] {
            codes.extend(error[name].as_str().and_then(|code| quote.word(code)));
        }
        let mut text = format!("{target} answered {}", reply.status.as_u16());
        let named = number(error).filter(|_| reply.status.is_success());
        if let Some(named) = named {
            text = format!("{text} with an error {named}");
        }
        if let Some(code) = codes.first() {
            text = format!("{text} ({code})");
        }
        if let Some(message) = &message {
            text = format!("{text}: {message}");
        }
        for code in &mut codes {
            code.make_ascii_lowercase();
        }
        let status = match reply.status.is_success() {
            true => named.or_else(|| status_of(&codes)).unwrap_or(502),
            false => reply.status.as_u16(),
        };
        Self { refusal: reply.refusal(error, said), status, error, codes, message, text }
    }

    /// What becomes of the call: what the status means, unless the error says it more precisely.
    pub(super) fn decide(self) -> Unanswered {
        let meaning = self.meaning();
        let speaks_of_length = self.status == 400 && self.speaks_of_length();
        let one_too_large = matches!(meaning, Some(Meaning::TooLong)) || self.speaks_of_one_too_large();
        let after = if self.status == 429 { self.refusal.wait_for_limit() } else { self.refusal.wait() };
        // llama.cpp's names; others put the numbers into their message only.
        let (limit, actual) = (self.error["n_ctx"].as_u64(), self.error["n_prompt_tokens"].as_u64());
        let too_long = |message| ChatFailure::ContextLengthExceeded { message, limit, actual };
        if matches!(meaning, Some(Meaning::NoMoney)) {
            return status::no_money(self.text).into();
        }
        let failure = match (status::failure(self.status, self.text, after), meaning) {
            (ChatFailure::InvalidRequest(message), Some(Meaning::BadAnswer)) => {
                // It was paid for, so it is not repeated without end.
                return Unanswered { failure: ChatFailure::Unavailable { message, after }, sign: None };
            }
            (ChatFailure::RateLimited { message, .. }, _) if one_too_large => too_long(message),
            (ChatFailure::ContextLengthExceeded { message, .. }, _)
            | (ChatFailure::InvalidRequest(message), Some(Meaning::TooLong)) => too_long(message),
            (ChatFailure::InvalidRequest(message), Some(Meaning::NoSuchModel)) => status::no_such_model(message),
            (ChatFailure::InvalidRequest(message), Some(Meaning::Filtered)) => ChatFailure::ContentFiltered(message),
            (ChatFailure::InvalidRequest(message), None) if speaks_of_length => too_long(message),
            (failure, _) => failure,
        };
        failure.into()
    }

    fn meaning(&self) -> Option<Meaning> {
        self.codes.iter().find_map(|code| match code.as_str() {
            "insufficient_quota"
            | "insufficient_balance"
            | "credit_balance_exhausted"
            | "organization_spend_limit_exceeded"
            | "organization_usage_limit_exceeded"
            | "project_spend_limit_exceeded"
            | "billing_hard_limit_reached"
            | "billing_not_active"
            | "billing_error" => Some(Meaning::NoMoney),
            "context_length_exceeded" | "exceed_context_size_error" | "request_too_large" => Some(Meaning::TooLong),
            "content_filter" | "content_policy_violation" | "responsibleaipolicyviolation" => Some(Meaning::Filtered),
            "model_not_found" => Some(Meaning::NoSuchModel),
            "json_validate_failed" => Some(Meaning::BadAnswer),
            _ => None,
        })
    }

    /// Whether it is no error but an answer that was cut off before it began.
    pub(super) fn ended_by_length(&self) -> bool {
        self.status == 400 && self.message.as_deref().is_some_and(|message| message.contains(ENDED_BY_LENGTH_WORDS))
    }

    fn speaks_of_length(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        TOO_LONG_WORDS.iter().any(|words| message.contains(words))
    }

    /// Whether the message says that this request alone is above the limit, in words or in numbers.
    fn speaks_of_one_too_large(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        let above = match (number_after(&message, "limit"), number_after(&message, "requested")) {
            (Some(limit), Some(requested)) => requested > limit,
            _ => false,
        };
        above || TOO_LARGE_WORDS.iter().any(|words| message.contains(words))
    }
}

/// Whether a field holds an error: some servers always send it, empty.
fn is_told(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Number(number) => number.as_u64() != Some(0),
        Value::Bool(true) | Value::Array(_) => true,
    }
}

/// The status that an error names, as a number or in digits.
fn number(error: &Value) -> Option<u16> {
    let named = |name: &str| match &error[name] {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    ["code", "status", "statusCode", "status_code"].into_iter().filter_map(named).find(|code| (400..600).contains(code))
}

/// The status that usually goes with a code, for replies that claim success.
fn status_of(codes: &[String]) -> Option<u16> {
    codes.iter().find_map(|code| match code.as_str() {
        "rate_limit_exceeded" | "rate_limit_error" | "rate_limited" | "too_many_requests" | "resource_exhausted" => {
            Some(429)
        }
        "invalid_api_key" | "authentication_error" | "permission_error" => Some(401),
        "invalid_request_error"
        | "context_length_exceeded"
        | "exceed_context_size_error"
        | "request_too_large"
        | "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "model_not_found"
        | "json_validate_failed" => Some(400),
        _ => None,
    })
}

/// The number right behind a word, as in "Limit 30000, Requested 39000" or "limit: 6,000".
fn number_after(message: &str, word: &str) -> Option<u64> {
    message.split(word).skip(1).find_map(|rest| {
        let rest = rest.trim_start_matches([':', '=', ' ']);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
        rest[..end].replace(',', "").parse().ok()
    })
}
