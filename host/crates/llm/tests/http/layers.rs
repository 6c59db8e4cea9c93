//! Fallbacks, limits and the memory of paid answers, over real servers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use gristmill_core::model::{ChatRequest, Format};
use gristmill_llm::Limits;
use gristmill_llm::settings::{AliasSettings, OpenAiSettings, TargetSettings};
use serde_json::json;

use super::{alias, alias_with, caller, job, key_file, model, request, scripted, target};
use gristmill_model_server::{Behaviour, ModelServer, Script};

#[tokio::test]
async fn a_fallback_stands_in_while_the_first_server_is_limited() {
    let busy =
        ModelServer::start(Script::new().when("", [Behaviour::rate_limited("9"), Behaviour::answer("first")])).await;
    let spare = ModelServer::start(Script::new().when("", [Behaviour::answer("second")])).await;
    let model = model(vec![target(&busy), target(&spare)]);
    assert_eq!(model.chat(&caller(1), &request("one")).await.unwrap().text, "second");
    assert_eq!(model.chat(&caller(1), &request("two")).await.unwrap().text, "second");
    assert_eq!((busy.calls(), spare.paid()), (1, 2), "it is not asked again before it may be");
}

#[tokio::test]
async fn a_fallback_answers_for_a_server_without_money_key_model_or_room_but_not_for_a_refusal() {
    let spare = ModelServer::start(Script::new().when("", [Behaviour::answer("second")])).await;
    for (behaviour, answers) in [
        (Behaviour::error(429, "insufficient_quota", "pay"), true),
        (Behaviour::error(401, "invalid_api_key", "no"), true),
        (Behaviour::error(404, "model_not_found", "no"), true),
        (Behaviour::error(400, "context_length_exceeded", "long"), true),
        (Behaviour::error(400, "content_filter", "no"), false),
        (Behaviour::error(400, "unknown_parameter", "no"), false),
    ] {
        let name = format!("{behaviour:?}");
        let first = ModelServer::start(Script::new().when("", [behaviour])).await;
        let answer = model(vec![target(&first), target(&spare)]).chat(&caller(1), &request("x")).await;
        assert_eq!(answer.is_ok_and(|answer| answer.text == "second"), answers, "{name}");
    }
    assert_eq!(spare.calls(), 4);
}

#[tokio::test]
async fn a_retried_job_pays_once_and_a_forgotten_one_again() {
    let server =
        ModelServer::start(Script::new().when("", [Behaviour::error(500, "x", "x"), Behaviour::answer("ok")])).await;
    let model = model(vec![target(&server)]);
    assert_eq!(model.chat(&caller(1), &request("x")).await.unwrap_err().kind(), "unavailable");
    let first = model.chat(&caller(1), &request("x")).await.unwrap();
    let again = model.chat(&caller(1), &request("x")).await.unwrap();
    assert_eq!((first.cached, again.cached, server.paid()), (false, true, 1));
    assert_eq!(first.provider_request_id, again.provider_request_id);
    model.chat(&caller(2), &request("x")).await.unwrap();
    assert_eq!(server.paid(), 2, "another job is another call");
    model.forget(&job(1));
    model.chat(&caller(1), &request("x")).await.unwrap();
    assert_eq!(server.paid(), 3);
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_the_alias_allows() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::Held("ok".into())])).await;
    let max_concurrent = NonZeroUsize::new(2).unwrap();
    let targets = vec![TargetSettings::OpenAi(target(&server))];
    let model = alias(AliasSettings { max_concurrent, ..AliasSettings::new(targets) });
    let mut calls = Vec::new();
    for position in 0..6 {
        let model = model.clone();
        calls.push(tokio::spawn(async move { model.chat(&caller(position), &request("x")).await }));
    }
    server.until("two calls are there", |server| server.in_flight() == 2).await;
    server.release(6);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().text, "ok");
    }
    assert_eq!((server.paid(), server.most_in_flight()), (6, 2));
}

#[tokio::test]
async fn a_script_stands_in_for_a_provider() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.toml");
    std::fs::write(&path, "[[rule]]\nwhen = 'ping'\nanswer = 'pong'\n[default]\nanswer_from = 'document'\n").unwrap();
    let model = alias(AliasSettings::new(vec![scripted(&path)]));
    assert_eq!(model.chat(&caller(1), &request("ping")).await.unwrap().text, "pong");
    let schema = json!({"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]});
    let format = Format::Schema { name: "s".into(), description: None, schema: schema.to_string() };
    let answer = model.chat(&caller(1), &ChatRequest { format, ..request("Mills ran. All night.") }).await.unwrap();
    assert_eq!(answer.text, "{\"summary\":\"Mills ran.\"}");
    assert_eq!(answer.model, "scripted/answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pipelines_with_one_key_are_one_to_the_server() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::Held("late".into())])).await;
    let limits = Arc::new(Limits::default());
    let (_folder, key) = key_file("sk-test-key");
    let pipeline = |most: usize| {
        let target = TargetSettings::OpenAi(OpenAiSettings { key: Some(key.clone()), ..target(&server) });
        let max_concurrent = most.try_into().unwrap();
        alias_with(AliasSettings { max_concurrent, ..AliasSettings::new(vec![target]) }, &limits)
    };
    let (one, two) = (pipeline(5), pipeline(2));
    let mut calls = tokio::task::JoinSet::new();
    for position in 0..8 {
        let model = if position % 2 == 0 { one.clone() } else { two.clone() };
        calls.spawn(async move { model.chat(&caller(position), &request("hello")).await });
    }
    while server.in_flight() < 2 {
        tokio::task::yield_now().await;
    }
    server.release(8);
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap().text, "late");
    }
    assert_eq!((server.calls(), server.most_in_flight()), (8, 2), "the lower of the two numbers counts");
}
