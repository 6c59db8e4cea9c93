//! The orders of `examples/rescue` through `validate` and `rescue`, as the flow leads them, with the answers of the example.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use gristmill_sdk::llm::{Content, Error, FinishReason, Model, Request, Response, Role, Usage};
use gristmill_sdk::{Attribute, Item, Outcome, Output, Stage};
use gristmill_stage_rescue::Rescue;
use gristmill_stage_validate::Validate;
use serde::Deserialize;
use serde_json::{Value, json};

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/rescue").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(example(file)).unwrap()
}

/// The scripted model of the example. It counts how often it is asked.
#[derive(Deserialize)]
struct Script {
    #[serde(rename = "rule")]
    rules: Vec<Rule>,
    #[serde(skip)]
    asked: RefCell<usize>,
}

#[derive(Deserialize)]
struct Rule {
    when: String,
    answer: String,
}

impl Model for Script {
    fn chat(&self, request: Request) -> Result<Response, Error> {
        *self.asked.borrow_mut() += 1;
        let user = request.messages.iter().find(|message| message.role == Role::User).unwrap();
        let [Content::Text(text)] = &user.content[..] else { panic!("not one text") };
        let rule = self.rules.iter().find(|rule| text.contains(&rule.when)).unwrap();
        Ok(Response {
            text: rule.answer.clone(),
            finish_reason: FinishReason::Stop,
            usage: Usage {
                input_tokens: None,
                cache_read_input_tokens: None,
                cache_write_input_tokens: None,
                output_tokens: None,
                reasoning_tokens: None,
                cost_nano_usd: None,
            },
            model: "scripted/mender".into(),
            provider_request_id: None,
            cached: false,
        })
    }
}

/// What becomes of an order: its text behind the check, or the code of its dead letter and why it was not mended.
fn checked(check: &Validate, mend: &Rescue, model: &Script, order: &str) -> Result<Output, (String, String)> {
    let item = Item::sample(order, Some("application/json"));
    let failure = match check.process(item.clone()).unwrap() {
        Outcome::Emit(mut outputs) => return Ok(outputs.remove(0)),
        Outcome::Reject(failure) => failure,
        Outcome::Drop(code) => panic!("dropped: {code}"),
    };
    let told = [
        ("stage", Some("check".to_owned())),
        ("code", Some(failure.code.clone())),
        ("message", Some(failure.message.clone())),
        ("details", failure.details_json.clone()),
    ];
    let told = told.into_iter().filter_map(|(what, value)| {
        let name = format!("sys.failure.{what}");
        value.map(|value| Attribute { name, value })
    });
    match mend.rescue(&Item { attributes: told.collect(), ..item.clone() }, model).unwrap() {
        Outcome::Emit(mut outputs) => {
            let output = outputs.remove(0);
            let again = Item { payload: output.payload.clone(), ..item };
            match check.process(again).unwrap() {
                Outcome::Emit(_) => Ok(output),
                other => panic!("{order} was mended and fails again: {other:?}"),
            }
        }
        Outcome::Reject(reason) => Err((failure.code, reason.message)),
        Outcome::Drop(code) => panic!("dropped: {code}"),
    }
}

#[test]
fn orders_are_mended_without_invention_or_are_dead_letters() {
    let schema: Value = serde_json::from_str(&read("order.schema.json")).unwrap();
    let check = Validate::new(serde_json::from_value(json!({"schema": schema})).unwrap()).unwrap();
    let mend = json!({"mend": ["json", "schema"], "schema": schema});
    let mend = Rescue::new(serde_json::from_value(mend).unwrap()).unwrap();
    let model: Script = toml::from_str(&read("answers.toml")).unwrap();
    let orders = read("input/orders.jsonl");
    let results: Vec<_> = orders.lines().map(|order| checked(&check, &mend, &model, order)).collect();
    let text = |index: usize| match &results[index] {
        Ok(output) => std::str::from_utf8(&output.payload).unwrap(),
        Err(failed) => panic!("{failed:?}"),
    };
    assert_eq!(text(0), orders.lines().next().unwrap());
    assert_eq!(text(1), r#"{"id": "AB-102", "quantity": 3, "price": 19.90, "status": "open"}"#);
    assert_eq!(text(2), r#"{"id": "AB-103", "quantity": 12, "price": 5.00, "status": "in_progress"}"#);
    assert_eq!(text(3), r#"{"id": "AB-104", "quantity": 1, "price": 8.50, "note": "marked \"fragile\", please"}"#);
    assert_eq!(text(4), r#"{"id": "AB-105", "quantity": 2, "price": 1234.5, "placed": "2030-12-31"}"#);
    let failed = |index: usize| match &results[index] {
        Err((code, reason)) => format!("{code}: {reason}"),
        Ok(output) => panic!("{output:?}"),
    };
    assert!(failed(5).starts_with("invalid-json: the end of the JSON is missing"), "{}", failed(5));
    assert_eq!(failed(6), "validation-failed: scripted/mender cannot tell /price from the item");
    assert_eq!(*model.asked.borrow(), 3, "rules come first, and a cut order is no question");
}
