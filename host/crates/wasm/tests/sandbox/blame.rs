//! Whose fault a failure is: the stage words its error, the host knows what others got.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_core::model::{
    Blame, ChatFailure, ChatRequest, ChatResponse, Content, EmbedRequest, EmbedResponse, Outcome,
};
use gristmill_core::ports::{Caller, Model, ModelError, StageError};
use serde_json::json;

use crate::harness::{Loaded, Sandbox, embedded, said, standard};

/// Answers "ok", and fails with what else the question names.
struct Named;

#[async_trait]
impl Model for Named {
    async fn chat(&self, _: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let Some(Content::Text(question)) = request.messages.last().and_then(|message| message.content.last()) else {
            panic!("a question is text");
        };
        told(question)?;
        Ok(said("ok".into()))
    }

    async fn embed(&self, _: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        for input in &request.inputs {
            told(input)?;
        }
        Ok(embedded(request))
    }
}

/// Fails with what the question names.
fn told(question: &str) -> Result<(), ModelError> {
    let (failure, blame) = question.split_once('/').unwrap_or((question, ""));
    let blame = match blame {
        "request" => Some(Blame::Request),
        "uneven-limit" => Some(Blame::UnevenLimit),
        "limit" => Some(Blame::Limit),
        "dependency" => Some(Blame::Dependency),
        _ => None,
    };
    let failure = match failure {
        "refused" => ChatFailure::Misconfigured("403".into()),
        "broken" => ChatFailure::Unavailable { message: "502".into(), after: None },
        "invalid" => ChatFailure::InvalidRequest("400".into()),
        _ => return Ok(()),
    };
    Err(ModelError::Chat { failure, blame })
}

/// What the flow is told to do with the item.
async fn decision(stage: &Loaded, text: &str) -> String {
    decided(stage.run(text).await)
}

fn decided(result: Result<Outcome, StageError>) -> String {
    match result {
        Ok(_) => "done".into(),
        Err(StageError::Retry { .. }) => "retry".into(),
        Err(StageError::Slow { hold, .. }) => format!("{hold:?}"),
        Err(StageError::Permanent(_)) => "permanent".into(),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_judgement_of_the_last_request_outweighs_the_words_of_the_stage() {
    let stage = Sandbox::new().model(Arc::new(Named)).misbehave().await;
    for (told, expected) in [
        ("ask refused/request", "retry"),
        ("ask refused/dependency", "Outage"),
        ("ask refused/uneven-limit", "UnevenLimit"),
        ("ask broken/request", "retry"),
        ("ask broken/dependency", "Outage"),
        ("ask invalid/dependency", "permanent"),
        // Without a judgement the stage's word counts.
        ("ask refused", "Limit"),
        ("ask broken", "retry"),
        // Of requests side by side, the one that is waited for longest decides.
        ("ask-many ok broken/request", "retry"),
        ("ask-many refused/request broken/dependency ok", "Outage"),
        ("ask-many broken/request refused/limit", "Limit"),
        // Another item in the same stage begins without what the one before left.
        ("retry x", "retry"),
        ("ask ok", "done"),
    ] {
        assert_eq!(decision(&stage, told).await, expected, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_does_not_outlive_its_call() {
    let stage = Sandbox::new().shared().model(Arc::new(Named)).misbehave().await;
    assert_eq!(decision(&stage, "ask broken/dependency").await, "Outage");
    assert_eq!(decision(&stage, "retry x").await, "retry", "in the same instance");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_several_items_is_judged_for_all_of_them() {
    let stage = Sandbox::new().model(Arc::new(Named)).load(standard("embed"), json!({})).await.unwrap();
    for (texts, expected) in [
        (["one", "broken/dependency"], ["Outage", "Outage"]),
        (["broken/request", "two"], ["retry", "retry"]),
        // A refused text is asked for alone, and its neighbour gets its vector.
        (["one", "invalid"], ["done", "permanent"]),
    ] {
        let results = stage.run_together(&texts).await.unwrap();
        assert_eq!(results.into_iter().map(decided).collect::<Vec<_>>(), expected, "{texts:?}");
    }
}
