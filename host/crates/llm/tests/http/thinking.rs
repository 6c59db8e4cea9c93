//! Models that think: how much they may, and what becomes of one that does nothing else.

use gristmill_core::model::ChatFailure;
use gristmill_llm::settings::{
    AliasSettings, AnthropicSettings, GeminiSettings, Level, OllamaSettings, OpenAiSettings, TargetSettings, Thinking,
};
use gristmill_model_server::{Behaviour, ModelServer, Script};
use serde_json::{Value, json};

use super::{alias, caller, request, target};

/// Targets of every provider at this server, with a limit of 100 output tokens, and the path of the limit in a request.
fn targets(server: &ModelServer) -> [(TargetSettings, &'static str, Value); 4] {
    let most = Some(100);
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 100});
    [
        (
            TargetSettings::OpenAi(OpenAiSettings { max_output_tokens: most, ..target(server) }),
            "/max_tokens",
            json!({"choices": [{"message": {"content": null}, "finish_reason": "length"}], "usage": usage}),
        ),
        (
            TargetSettings::Anthropic(AnthropicSettings {
                base_url: server.base_url(),
                max_output_tokens: most,
                ..AnthropicSettings::new("m")
            }),
            "/max_tokens",
            json!({"type": "message", "content": [{"type": "thinking", "thinking": "Hm."}], "stop_reason": "max_tokens"}),
        ),
        (
            TargetSettings::Gemini(GeminiSettings {
                base_url: server.url("/v1beta"),
                max_output_tokens: most,
                ..GeminiSettings::new("m")
            }),
            "/generationConfig/maxOutputTokens",
            json!({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}),
        ),
        (
            TargetSettings::Ollama(OllamaSettings {
                base_url: server.url(""),
                max_output_tokens: most,
                ..OllamaSettings::new("m")
            }),
            "/options/num_predict",
            json!({"message": {"content": "", "thinking": "Hm."}, "done": true, "done_reason": "length"}),
        ),
    ]
}

#[tokio::test]
async fn a_model_that_only_thinks_gets_more_room_once() {
    for place in 0..4 {
        let probe = ModelServer::start(Script::new()).await;
        let (_, _, thought) = targets(&probe)[place].clone();
        let thought = Behaviour::ok("application/json", thought.to_string());
        let script = Script::new()
            .when("easy", [thought.clone(), Behaviour::answer("hello")])
            .when("hard", [thought.clone(), thought]);
        let server = ModelServer::start(script).await;
        let (settings, limit, _) = targets(&server)[place].clone();
        let model = alias(AliasSettings::new(vec![settings]));
        assert_eq!(model.chat(&caller(1), &request("easy")).await.unwrap().text, "hello", "{limit}");
        match model.chat(&caller(1), &request("hard")).await {
            Err(ChatFailure::InvalidOutput { problems, .. }) => {
                assert!(problems.concat().starts_with("reasoning-starved: "), "{problems:?}")
            }
            other => panic!("{other:?}"),
        }
        let limits: Vec<Value> = server.seen().iter().map(|seen| seen.body.pointer(limit).unwrap().clone()).collect();
        assert_eq!(limits, [100, 8_292, 100, 8_292], "{limit}");
    }
}

#[tokio::test]
async fn a_level_that_the_model_does_not_know_is_the_targets_fault() {
    let server = ModelServer::start(Script::new().when(
        "",
        [
            Behaviour::error(400, "unsupported_value", "Unsupported value: 'reasoning_effort' does not support 'none'."),
            Behaviour::Raw {
                status: 400,
                headers: Vec::new(),
                body: json!({"type": "error", "error": {
                    "type": "invalid_request_error", "message": "adaptive thinking is not supported on this model",
                }})
                .to_string(),
            },
            Behaviour::Raw {
                status: 400,
                headers: Vec::new(),
                body: json!({"error": {
                    "code": 400, "status": "INVALID_ARGUMENT", "message": "Thinking level is not supported: thinking_level",
                }})
                .to_string(),
            },
            Behaviour::Raw {
                status: 400,
                headers: Vec::new(),
                body: json!({"error": "\"m\" does not support thinking"}).to_string(),
            },
        ],
    ))
    .await;
    for (settings, _, _) in targets(&server) {
        let settings = match settings {
            TargetSettings::OpenAi(target) => {
                TargetSettings::OpenAi(OpenAiSettings { thinking: Some(Level::Off), ..target })
            }
            TargetSettings::Anthropic(target) => {
                TargetSettings::Anthropic(AnthropicSettings { thinking: Some(Thinking::Level(Level::Low)), ..target })
            }
            TargetSettings::Gemini(target) => {
                TargetSettings::Gemini(GeminiSettings { thinking: Some(Thinking::Level(Level::Low)), ..target })
            }
            TargetSettings::Ollama(target) => {
                TargetSettings::Ollama(OllamaSettings { thinking: Some(Level::Low), ..target })
            }
            other => other,
        };
        let model = alias(AliasSettings::new(vec![settings]));
        match model.chat(&caller(1), &request("hello")).await.unwrap_err() {
            ChatFailure::Misconfigured(message) => assert!(message.contains("`thinking`"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}
