//! Keys that change while a host runs.

use std::fs;
use std::time::Duration;

use gristmill_core::settings::SecretRef;
use gristmill_llm::settings::OpenAiSettings;
use gristmill_model_server::{Behaviour, ModelServer, Script};

use super::{caller, key_file, model, request, target};

#[tokio::test]
async fn a_key_that_was_changed_in_its_file_is_sent_and_not_repeated_in_errors() {
    let script = Script::new().when("bad", [Behaviour::error(401, "invalid_api_key", "Incorrect key sk-second-key")]);
    let server = ModelServer::start(script).await;
    let (_folder, key) = key_file("sk-first-key\n");
    let SecretRef::File(file) = &key else { panic!("a file") };
    let model = model(vec![OpenAiSettings { key: Some(key.clone()), ..target(&server) }]);
    model.chat(&caller(1), &request("one")).await.unwrap();
    fs::write(file, "sk-second-key\n").unwrap();
    // It is looked at every two seconds.
    let mut position = 1;
    for _ in 0..100 {
        position += 1;
        model.chat(&caller(position), &request("next")).await.unwrap();
        if server.seen().last().unwrap().authorization.as_deref() == Some("Bearer sk-second-key") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = server.seen();
    assert_eq!(seen[0].authorization.as_deref(), Some("Bearer sk-first-key"));
    assert_eq!(seen.last().unwrap().authorization.as_deref(), Some("Bearer sk-second-key"));
    let refused = model.chat(&caller(position + 1), &request("bad")).await.unwrap_err();
    assert!(!format!("{refused:?}").contains("sk-second"), "{refused:?}");
}
