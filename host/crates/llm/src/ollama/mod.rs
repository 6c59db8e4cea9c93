//! A target that speaks Ollama's own API over HTTP: its other one, that of OpenAI, has no field for the size of the context.

mod decode;
mod encode;

use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;

use crate::headers::{Dialect, KeyPlace, Sent};
use crate::parameters::refuse_own;
use crate::provider::{Provider, Unanswered};
use crate::server::{self, Reach, Server};
use crate::settings::OllamaSettings;
use decode::{Answer, Asked, decode};
use encode::{OWN_FIELDS, encode};

const DIALECT: Dialect = Dialect { key: KeyPlace::Bearer, fixed: &[] };

/// A model that took longer than this to load was not in memory.
const LOADED: Duration = Duration::from_secs(1);

/// One server and model. Asks once per call: retries are up to the flow.
pub(crate) struct Ollama {
    server: Server,
    settings: OllamaSettings,
}

impl Ollama {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn new(settings: OllamaSettings) -> anyhow::Result<Self> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let url = server::url(&settings.base_url, &["api", "chat"])?;
        if url.path() == "/v1/api/chat" {
            anyhow::bail!("`base_url` ends in /v1, which is Ollama's other API; take that away");
        }
        let server = Server::new(Reach {
            name: format!("ollama/{}", settings.model),
            url,
            sent: Sent::read(&DIALECT, settings.key.as_ref(), &settings.headers)?,
            timeout: settings.timeout,
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        Ok(Self { server, settings })
    }

    /// SHA-256 of the secrets that are sent.
    pub(crate) fn key_digest(&self) -> Option<[u8; 32]> {
        self.server.key_digest()
    }
}

#[async_trait]
impl Provider for Ollama {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, Unanswered> {
        let (body, size) = encode(&self.settings, request)?;
        let reply = self.server.ask(caller, request.timeout, body.to_string()).await?;
        let OllamaSettings { model, context, .. } = &self.settings;
        let asked = Asked { target: self.server.name(), model, context: *context, size };
        let Answer { response, load } = decode(&asked, &reply, &self.server.quote(request))?;
        if let Some(load) = load.filter(|load| *load > LOADED) {
            let (job, load_ms) = (&caller.job, load.as_millis());
            tracing::debug!(%job, target = self.server.name(), load_ms, "the model was loaded before it answered");
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_other_api_is_refused() {
        let base_url = "http://127.0.0.1:11434/v1".to_owned();
        let fault = Ollama::new(OllamaSettings { base_url, ..OllamaSettings::new("m") }).err().unwrap().to_string();
        assert!(fault.contains("Ollama's other API"), "{fault}");
        assert!(Ollama::new(OllamaSettings::new("m")).is_ok());
    }
}
