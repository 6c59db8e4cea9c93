//! Chooses the model of the demo: one of the user's if there is one, otherwise prepared answers.

use std::time::Duration;

use serde::Deserialize;

use gristmill_core::settings::SecretRef;
use gristmill_llm::settings::{OpenAiSettings, TargetSettings};

/// The choice, and why.
pub(super) struct Choice {
    /// `None` keeps the prepared answers of the example.
    pub(super) target: Option<TargetSettings>,
    /// One line for the user.
    pub(super) why: String,
}

const OPENAI: &str = "https://api.openai.com/v1";
const OLLAMA: &str = "http://127.0.0.1:11434/v1";
/// The model at OpenAI if `OPENAI_MODEL` is not set.
const OPENAI_MODEL: &str = "gpt-5-mini";
/// The timeout for listing models; a local server answers immediately or does not exist.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// `OPENAI_BASE_URL`, else `OPENAI_API_KEY`, else Ollama on this machine, else prepared answers.
pub(super) async fn choose() -> Choice {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let key = variable("OPENAI_API_KEY");
    let model = variable("OPENAI_MODEL");
    if let Some(base_url) = variable("OPENAI_BASE_URL") {
        let base_url = base_url.trim_end_matches('/').to_owned();
        let model = match model {
            Some(model) => Some(model),
            None => first_model(&base_url, key.as_deref()).await,
        };
        return match model {
            Some(model) => {
                let why = format!("{model} at {base_url}, because OPENAI_BASE_URL is set");
                Choice { target: Some(target(&model, &base_url, key.is_some())), why }
            }
            None => Choice {
                target: None,
                why: "prepared answers: the server at OPENAI_BASE_URL lists no model; set OPENAI_MODEL".into(),
            },
        };
    }
    if key.is_some() {
        let model = model.unwrap_or_else(|| OPENAI_MODEL.into());
        let why = format!("{model} at OpenAI, because OPENAI_API_KEY is set");
        return Choice { target: Some(target(&model, OPENAI, true)), why };
    }
    if let Some(model) = first_model(OLLAMA, None).await {
        let why = format!("{model} from Ollama on this machine");
        return Choice { target: Some(target(&model, OLLAMA, false)), why };
    }
    Choice {
        target: None,
        why: "prepared answers; for a real model set OPENAI_API_KEY or OPENAI_BASE_URL, or start Ollama".into(),
    }
}

fn target(model: &str, base_url: &str, with_key: bool) -> TargetSettings {
    TargetSettings::OpenAi(OpenAiSettings {
        base_url: base_url.into(),
        key: with_key.then(|| SecretRef::Env("OPENAI_API_KEY".into())),
        timeout: Duration::from_secs(120),
        ..OpenAiSettings::new(model)
    })
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// The first model that a server lists, if it answers at all.
async fn first_model(base_url: &str, key: Option<&str>) -> Option<String> {
    let client =
        reqwest::Client::builder().timeout(LIST_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build().ok()?;
    let mut request = client.get(format!("{base_url}/models"));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let models: Models = request.send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
    models.data.into_iter().next().map(|model| model.id)
}
