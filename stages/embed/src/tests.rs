//! The stage as a whole, with a scripted model.

use std::cell::RefCell;

use gristmill_sdk::embeddings::{Error, Model, Request, Response, Usage};
use gristmill_sdk::llm::{Busy, TooLong};
use gristmill_sdk::{Attribute, Item, Outcome, Output, Stage, StageError};
use serde_json::{Value, json};

use crate::{Config, Embed};

/// Makes vectors of the length of each text, and fails as told; records the requests.
#[derive(Default)]
struct Script {
    too_long: Option<&'static str>,
    busy: bool,
    requests: RefCell<Vec<Request>>,
}

impl Model for Script {
    fn embed(&self, request: Request) -> Result<Response, Error> {
        self.requests.borrow_mut().push(request.clone());
        if self.busy {
            return Err(Error::Unavailable(Busy { message: "away".into(), retry_after: None }));
        }
        if self.too_long.is_some_and(|text| request.inputs.iter().any(|input| input == text)) {
            return Err(Error::ContextLengthExceeded(TooLong { limit: None, actual: None, message: "long".into() }));
        }
        #[allow(clippy::cast_precision_loss, reason = "texts of tests are short")]
        let vectors = request.inputs.iter().map(|input| vec![input.len() as f32, 0.1]).collect();
        let usage = Usage {
            input_tokens: Some(7),
            cache_read_input_tokens: None,
            cache_write_input_tokens: None,
            output_tokens: None,
            reasoning_tokens: None,
            cost_nano_usd: None,
        };
        Ok(Response { vectors, usage, model: "acme/small-1".into(), cached: false })
    }
}

fn stage(config: Value) -> Embed {
    Embed::new(serde_json::from_value::<Config>(config).unwrap()).unwrap()
}

fn emitted(outcome: Result<Outcome, StageError>) -> Output {
    match outcome {
        Ok(Outcome::Emit(mut outputs)) if outputs.len() == 1 => outputs.remove(0),
        other => panic!("not one output: {other:?}"),
    }
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.payload).unwrap()
}

fn attribute<'o>(output: &'o Output, name: &str) -> Option<&'o str> {
    output.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}

fn item(payload: &str, id: &str) -> Item {
    Item { id: id.into(), ..Item::sample(payload, Some("text/plain")) }
}

#[test]
fn a_text_becomes_json_with_its_vector_and_where_it_came_from() {
    let model = Script::default();
    let chunk = Item {
        attributes: vec![
            Attribute { name: "chunk.ordinal".into(), value: "3".into() },
            Attribute { name: "language".into(), value: "en".into() },
        ],
        ..item("\u{feff}A \"quoted\" text", "a")
    };
    let output = emitted(stage(json!({})).embed(&chunk, &model));
    let expected = r#"{"text":"A \"quoted\" text","vector":[15.0,0.1],"source":{"chunk.ordinal":"3"}}"#;
    assert_eq!((text(&output), output.content_type.as_deref()), (expected, Some("application/json")));
    assert_eq!(attribute(&output, "embed.model"), Some("acme/small-1"));
    assert_eq!(attribute(&output, "embed.dimensions"), Some("2"));
    let digest = "436513e05ad2bfe721ce614f21f1235b0e84dc8175615a47e558ae0e57298c68";
    assert_eq!(attribute(&output, "embed.content-sha256"), Some(digest));
    let bare = stage(json!({"include_text": false, "include_attributes": false, "key": "v"}));
    assert_eq!(text(&emitted(bare.embed(&chunk, &model))), r#"{"v":[15.0,0.1]}"#);
}

#[test]
fn the_configuration_shapes_the_request() {
    let model = Script::default();
    let config = json!({"model": "small", "dimensions": 256, "purpose": "query", "prefix": "query: "});
    let first = emitted(stage(config).embed(&item("pump", "a"), &model));
    emitted(stage(json!({})).embed(&item("pump", "a"), &model));
    let requests = model.requests.borrow();
    let [asked, plain] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(
        (asked.model.as_deref(), asked.dimensions, &asked.inputs[0][..]),
        (Some("small"), Some(256), "query: pump")
    );
    assert_eq!(format!("{:?} {:?}", asked.purpose, plain.purpose), "Purpose::Query Purpose::Document");
    assert_eq!((plain.model.as_deref(), plain.dimensions, plain.for_item.as_deref()), (None, None, Some("a")));
    assert!(text(&first).starts_with(r#"{"text":"pump""#), "the prefix is not part of the text");
}

#[test]
fn a_json_item_keeps_its_values_and_gets_its_vector() {
    let model = Script::default();
    let payload = r#"{"id": 1.50, "vector": "old", "title": "Pump", "parts": ["leaks", 7, " "], "none": null}"#;
    let document = Item::sample(payload, Some("application/json"));
    let config = json!({"fields": ["/title", "/parts", "/none", "/missing"]});
    let output = emitted(stage(config).embed(&document, &model));
    let expected = r#"{"id":1.50,"title":"Pump","parts":["leaks", 7, " "],"none":null,"vector":[11.0,0.1]}"#;
    assert_eq!(text(&output), expected);
    assert_eq!(model.requests.borrow()[0].inputs, ["Pump\n\nleaks"]);
}

#[test]
fn what_has_no_text_is_passed_on_or_rejected() {
    let model = Script::default();
    for (payload, media_type, config, expected) in [
        (&b" \n"[..], "text/plain", json!({}), "skipped"),
        (b" \n", "text/plain", json!({"on_missing": "reject"}), "empty-text"),
        (b"{}", "application/json", json!({"fields": ["/text"]}), "skipped"),
        (b"{}", "application/json", json!({}), "no-fields"),
        (b"[1]", "application/json", json!({"fields": ["/text"]}), "not-an-object"),
        (b"{\"a\": ", "application/json", json!({"fields": ["/text"]}), "invalid-json"),
        (b"\xff", "text/plain", json!({}), "not-utf8"),
        (b"%PDF", "application/pdf", json!({}), "unsupported-type"),
    ] {
        let outcome = stage(config).embed(&Item::sample(payload, Some(media_type)), &model);
        let found = match outcome.unwrap() {
            Outcome::Reject(failure) => failure.code,
            Outcome::Emit(outputs) => {
                assert_eq!(
                    (outputs[0].payload.as_slice(), attribute(&outputs[0], "embed.skipped")),
                    (payload, Some("empty-text"))
                );
                "skipped".into()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{media_type} {payload:?}");
    }
    assert!(model.requests.borrow().is_empty(), "decided before a model is asked");
}

#[test]
fn several_items_share_one_request() {
    let model = Script::default();
    let items = [item("one", "a"), item(" ", "b"), item("three", "c")];
    let outcomes = stage(json!({})).embed_all(&items, &model);
    let texts: Vec<String> = outcomes.into_iter().map(|outcome| text(&emitted(outcome)).to_owned()).collect();
    assert_eq!(texts, [r#"{"text":"one","vector":[3.0,0.1]}"#, " ", r#"{"text":"three","vector":[5.0,0.1]}"#]);
    let requests = model.requests.borrow();
    assert_eq!((requests.len(), &requests[0].inputs[..]), (1, &["one".to_owned(), "three".into()][..]));
    assert_eq!(requests[0].for_item, None, "it is for all of them");
}

#[test]
fn a_text_that_is_too_long_fails_alone() {
    let model = Script { too_long: Some("long"), ..Script::default() };
    let items = [item("one", "a"), item("long", "b"), item("three", "c")];
    let mut outcomes = stage(json!({})).embed_all(&items, &model).into_iter();
    emitted(outcomes.next().unwrap());
    match outcomes.next().unwrap() {
        Err(StageError::Permanent(failure)) => assert_eq!(failure.code, "llm-context-length-exceeded"),
        other => panic!("{other:?}"),
    }
    emitted(outcomes.next().unwrap());
    let asked: Vec<_> = model.requests.borrow().iter().skip(1).map(|request| request.for_item.clone()).collect();
    assert_eq!(asked, ["a", "b", "c"].map(|id| Some(id.to_owned())));
}

#[test]
fn a_model_that_is_away_fails_all_of_them_after_one_request() {
    let model = Script { busy: true, ..Script::default() };
    let outcomes = stage(json!({})).embed_all(&[item("one", "a"), item("two", "b")], &model);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StageError::Retryable(_)))), "{outcomes:?}");
    assert_eq!(model.requests.borrow().len(), 1);
}

#[test]
fn the_schema_and_the_configuration_agree() {
    let schema: Value = serde_json::from_str(include_str!("../config.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let all = json!({
        "model": "m", "dimensions": 8, "purpose": "unspecified", "fields": ["/a~1b/0"], "prefix": "p", "key": "k",
        "on_missing": "reject", "include_text": false, "include_attributes": false,
    });
    for name in schema["properties"].as_object().unwrap().keys() {
        assert!(all.get(name).is_some(), "{name}");
    }
    assert!(validator.is_valid(&all) && serde_json::from_value::<Config>(all).is_ok());
    for bad in
        [json!({"fields": ["text"]}), json!({"fields": ["/a~2"]}), json!({"key": "text"}), json!({"dimensions": 0})]
    {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}
