//! Calls that succeed.

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, FinishReason, Format, Usage};
use gristmill_llm::settings::{AliasSettings, OpenAiSettings, Structured, TargetSettings};
use serde_json::{Value, json};

use super::{alias, caller, key_file, model, request, target};
use gristmill_model_server::{Behaviour, ModelServer, Script};

#[tokio::test]
async fn a_call_goes_out_with_the_key_and_comes_back_as_an_answer() {
    let server = ModelServer::start(Script::new().when("weather", [Behaviour::answer("sunny")])).await;
    let (_folder, key) = key_file("sk-test-key\n");
    let model = model(vec![OpenAiSettings { key: Some(key), ..target(&server) }]);
    let answer = model.chat(&caller(1), &request("the weather?")).await.unwrap();
    let usage = Usage { input_tokens: Some(10), output_tokens: Some(5), ..Usage::default() };
    let expected = ChatResponse {
        text: "sunny".into(),
        finish_reason: FinishReason::Stop,
        usage,
        model: "openai/m".into(),
        provider_request_id: Some("chatcmpl-1".into()),
        cached: false,
    };
    assert_eq!(answer, expected);
    let seen = server.seen().remove(0);
    let messages = json!([{"role": "user", "content": "the weather?"}]);
    let options = json!({"include_usage": true});
    assert_eq!(seen.body, json!({"model": "m", "messages": messages, "stream": true, "stream_options": options}));
    assert_eq!(seen.authorization.as_deref(), Some("Bearer sk-test-key"));
    assert_eq!(seen.traceparent, Some(caller(1).trace.to_string()), "the provider can join the trace");
}

#[tokio::test]
async fn a_server_without_a_key_gets_none() {
    let server = ModelServer::start(Script::new()).await;
    model(vec![target(&server)]).chat(&caller(1), &request("hello")).await.unwrap();
    assert_eq!(server.seen().remove(0).authorization, None);
}

#[tokio::test]
async fn an_answer_counts_by_its_body_whatever_its_content_type() {
    let body = json!({"choices": [{"message": {"content": "hello"}}]}).to_string();
    let server = ModelServer::start(Script::new().when("", [Behaviour::ok("text/plain", body)])).await;
    assert_eq!(model(vec![target(&server)]).chat(&caller(1), &request("x")).await.unwrap().text, "hello");
}

#[tokio::test]
async fn a_schema_is_asked_for_in_the_servers_dialect_and_the_answer_is_checked() {
    let script = Script::new()
        .when("good", [Behaviour::answer("```json\n{\"n\": 1}\n```")])
        .when("bad", [Behaviour::answer("{\"n\": \"one\"}")]);
    let server = ModelServer::start(script).await;
    let model = model(vec![OpenAiSettings { structured: Structured::JsonObjectSchema, ..target(&server) }]);
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let format = Format::Schema { name: "count".into(), description: None, schema: schema.to_string() };
    let good = ChatRequest { format: format.clone(), ..request("good") };
    assert_eq!(model.chat(&caller(1), &good).await.unwrap().text, "{\"n\": 1}");
    assert_eq!(server.seen().remove(0).body["response_format"], json!({"type": "json_object", "schema": schema}));
    let bad = ChatRequest { format, ..request("bad") };
    assert_eq!(model.chat(&caller(1), &bad).await.unwrap_err().kind(), "invalid-output");
}

#[tokio::test]
async fn an_answer_of_the_wrong_form_is_asked_for_again_with_its_faults() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let format = Format::Schema { name: "count".into(), description: None, schema: schema.to_string() };
    let asked = ChatRequest { format, ..request("count") };
    let script = Script::new().when("", [Behaviour::answer("{\"n\": \"uno\"}"), Behaviour::answer("{\"n\": 1}")]);
    let server = ModelServer::start(script).await;
    let model = model(vec![target(&server)]);
    let answer = model.chat(&caller(1), &asked).await.unwrap();
    assert_eq!((answer.text.as_str(), server.paid()), ("{\"n\": 1}", 2));
    assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(20), Some(10)), "both were paid");
    let question = server.seen()[1].body["messages"].to_string();
    assert!(question.contains("could not be used: /n:") && !question.contains("uno"), "{question}");
    assert!(model.chat(&caller(1), &asked).await.unwrap().cached);
    assert_eq!(server.paid(), 2, "both are in the journal");
    let bad = ModelServer::start(Script::new().when("", [Behaviour::answer("{}")])).await;
    let alias =
        |reask| alias(AliasSettings { reask, ..AliasSettings::new(vec![TargetSettings::OpenAi(target(&bad))]) });
    for (reask, calls) in [(0, 1), (2, 4)] {
        assert_eq!(alias(reask).chat(&caller(1), &asked).await.unwrap_err().kind(), "invalid-output");
        assert_eq!(bad.paid(), calls);
    }
}

/// The answer to a request for an object with a number `n`, in a choice with this message and end.
async fn counted(message: Value, finish: &str) -> Result<String, ChatFailure> {
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}).to_string();
    let server = ModelServer::start(Script::new().when("", [Behaviour::ok("application/json", body)])).await;
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let format = Format::Schema { name: "count".into(), description: None, schema: schema.to_string() };
    let asked = ChatRequest { format, ..request("count") };
    Ok(model(vec![target(&server)]).chat(&caller(1), &asked).await?.text)
}

#[tokio::test]
async fn a_document_is_taken_from_wherever_a_server_puts_it() {
    let document = "{\"n\": 1}";
    let call = json!({"id": "1", "type": "function", "function": {"name": "count", "arguments": document}});
    for (message, finish) in [
        (json!({"content": "<think>One?</think>\n{\"n\": 1}"}), "stop"),
        (json!({"content": "Here you are:\n```json\n{\"n\": 1}\n```\nAnything else?"}), "stop"),
        (json!({"content": [{"type": "text", "text": "{\"n\":"}, {"type": "text", "text": " 1}"}]}), "stop"),
        (json!({"content": "\u{feff}{\"n\": 1}"}), "stop"),
        (json!({"content": "\"{\\\"n\\\": 1}\""}), "stop"),
        (json!({"content": "{\"n\": 1,}"}), "stop"),
        (json!({"content": null, "tool_calls": [call]}), "tool_calls"),
        (json!({"content": null, "reasoning_content": document}), "stop"),
        (json!({"content": document}), "length"),
    ] {
        assert_eq!(counted(message.clone(), finish).await.as_deref(), Ok(document), "{message}");
    }
}

#[tokio::test]
async fn a_document_that_is_cut_off_or_missing_is_invalid_output() {
    for (message, finish) in [
        (json!({"content": "{\"n\": 1, \"of"}), "length"),
        (json!({"content": "{\"n\": 1, \"of"}), "stop"),
        (json!({"content": null}), "stop"),
        (json!({"content": "<think>{\"n\": 1}"}), "stop"),
    ] {
        assert_eq!(counted(message.clone(), finish).await.unwrap_err().kind(), "invalid-output", "{message}");
    }
    let refused = counted(json!({"content": null, "refusal": "no"}), "stop").await;
    assert_eq!(refused.unwrap_err().kind(), "content-filtered");
}

#[tokio::test]
async fn a_server_that_streams_unless_told_not_to_is_told_and_one_that_does_anyway_is_read() {
    let body = "data: {\"choices\": [{\"delta\": {\"content\": \"hel\"}}]}\n\n\
                data: {\"choices\": [{\"delta\": {\"content\": \"lo\"}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n";
    let server = ModelServer::start(Script::new().when("", [Behaviour::ok("text/event-stream", body)])).await;
    let unstreamed = OpenAiSettings { stream: false, ..target(&server) };
    assert_eq!(model(vec![unstreamed]).chat(&caller(1), &request("x")).await.unwrap().text, "hello");
    assert_eq!(server.seen().remove(0).body["stream"], json!(false));
}
