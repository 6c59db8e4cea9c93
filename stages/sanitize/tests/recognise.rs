//! Names and addresses, with a scripted model.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use gristmill_sdk::llm::{Error, FinishReason, Format, Model, Request, Response, Usage};
use gristmill_sdk::{Item, Outcome, StageError, configure};
use gristmill_stage_sanitize::Sanitize;

/// Answers each request with the same text and counts them.
struct Script(&'static str, Cell<usize>);

impl Model for Script {
    fn chat(&self, request: Request) -> Result<Response, Error> {
        assert!(matches!(request.format, Format::JsonSchema(_)));
        self.1.set(self.1.get() + 1);
        Ok(Response {
            text: self.0.into(),
            finish_reason: FinishReason::Stop,
            usage: Usage {
                input_tokens: None,
                cache_read_input_tokens: None,
                cache_write_input_tokens: None,
                output_tokens: None,
                reasoning_tokens: None,
                cost_nano_usd: None,
            },
            model: "acme/small-1".into(),
            provider_request_id: None,
            cached: false,
        })
    }
}

fn recognised(answer: &'static str, payload: &str, media_type: &str) -> Result<Outcome, StageError> {
    let config = serde_json::from_str(r#"{"recognise":{"model":"small"}}"#).unwrap();
    let stage = Sanitize::with_model(config).unwrap();
    stage.sanitize(Item::sample(payload, Some(media_type)), &Script(answer, Cell::new(0)))
}

fn recognised_text(answer: &'static str, payload: &str, media_type: &str) -> String {
    match recognised(answer, payload, media_type).unwrap() {
        Outcome::Emit(outputs) => String::from_utf8(outputs[0].payload.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_model_quotes_is_replaced_where_it_stands_in_the_text() {
    let answer = r#"{"found":[{"kind":"person","quote":"Mia Lund"},{"kind":"address","quote":"Example Street 5"},
        {"kind":"person","quote":"Nobody"},{"kind":"person","quote":"M"},{"kind":"person","quote":"Lund"}]}"#;
    assert_eq!(
        recognised_text(answer, "Mia Lund (mia.lund@example.com), Example Street 5, Lundberg, Ms Lund", "text/plain"),
        "[PERSON] ([EMAIL]), [ADDRESS], Lundberg, Ms [PERSON]"
    );
    assert_eq!(
        recognised_text(answer, r#"{"name":"Mia Lund","n":"x"}"#, "application/json"),
        r#"{"name":"[PERSON]","n":"x"}"#
    );
}

#[test]
fn an_answer_that_is_no_list_is_an_error_and_not_a_leak() {
    for answer in ["", "Hello [PERSON]", "{}", r#"{"found":[{"kind":"city","quote":"Berlin"}]}"#] {
        let error = recognised(answer, "Mia Lund", "text/plain").unwrap_err();
        assert!(matches!(error, StageError::Retryable(_)), "{answer}");
    }
}

#[test]
fn no_model_is_asked_unless_the_configuration_says_so() {
    let stage: Sanitize = configure("{}").unwrap();
    let script = Script("{}", Cell::new(0));
    stage.sanitize(Item::sample("Mia Lund", Some("text/plain")), &script).unwrap();
    assert_eq!(script.1.get(), 0);
    assert_eq!(configure::<Sanitize>(r#"{"recognise":{}}"#).err().unwrap()[0].pointer, "/recognise");
}
