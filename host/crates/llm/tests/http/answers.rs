//! Calls that succeed.

use gristmill_core::model::{ChatRequest, ChatResponse, FinishReason, Format, Usage};
use gristmill_llm::settings::{OpenAiSettings, Structured};
use serde_json::json;

use super::{caller, key_file, model, request, target};
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
    assert_eq!(seen.body, json!({"model": "m", "messages": [{"role": "user", "content": "the weather?"}]}));
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
