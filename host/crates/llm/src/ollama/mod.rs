//! A target that speaks Ollama's own API over HTTP: its other one, that of OpenAI, has no field for the size of the context.

mod decode;
mod embed;
mod encode;
mod stream;

use std::time::Duration;

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use serde_json::Value;

use crate::answered::Unanswered;
use crate::embedding::{self, Embedder};
use crate::headers::{Dialect, KeyPlace};
use crate::limits::Account;
use crate::pace::Pace;
use crate::parameters::refuse_own;
use crate::provider::{Api, Http};
use crate::quote::Quote;
use crate::secrets::Secrets;
use crate::server::{self, Reach, Reply, Server};
use crate::settings::OllamaSettings;
use crate::status;
use crate::stream::{Framing, Gathering};
use decode::{Answer, Asked, decode};
use encode::{OWN_FIELDS, Size, encode};
use stream::Chat;

const DIALECT: Dialect = Dialect { key: KeyPlace::Bearer, fixed: &[] };

/// A model that took longer than this to load was not in memory.
const LOADED: Duration = Duration::from_secs(1);

/// Ollama's own API, as one target speaks it.
pub(crate) struct Ollama(OllamaSettings);

impl Ollama {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn target(settings: OllamaSettings) -> anyhow::Result<Http<Self>> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let url = server::url(&settings.base_url, &["api", "chat"])?;
        if url.path() == "/v1/api/chat" {
            anyhow::bail!("`base_url` ends in /v1, which is Ollama's other API; take that away");
        }
        let name = format!("ollama/{}", settings.model);
        let server = Server::new(Reach {
            sent: Secrets::read(&name, DIALECT, settings.key.as_ref(), &settings.headers)?.into(),
            name,
            account: Account { base_url: settings.base_url.clone(), key: settings.key.clone() },
            model: settings.model.clone(),
            url,
            timeout: settings.timeout,
            pace: Pace::of(settings.stream, settings.first_byte, settings.idle),
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        let url = server::url(&settings.base_url, &["api", "embed"])?;
        let OllamaSettings { model, context, .. } = &settings;
        let embedder = Embedder {
            server: server.at(url, embedding::MAX_BYTES),
            bounds: embed::BOUNDS.set(settings.embeddings),
            api: Box::new(embed::Embeddings { model: model.clone(), context: *context }),
        };
        Ok(Http { server, api: Self(settings), embedder: Some(embedder) })
    }
}

impl Api for Ollama {
    fn encode(&self, request: &ChatRequest) -> Result<Value, ChatFailure> {
        encode(&self.0, request)
    }

    fn gathering(&self) -> Gathering {
        Gathering { framing: Framing::Lines, gather: Box::<Chat>::default() }
    }

    fn decode(
        &self,
        target: &str,
        request: &ChatRequest,
        reply: &Reply,
        quote: &Quote<'_>,
    ) -> Result<ChatResponse, Unanswered> {
        let OllamaSettings { model, context, .. } = &self.0;
        let asked = Asked { target, model, context: *context, size: Size::of(request) };
        let Answer { response, load } = decode(&asked, reply, quote)?;
        if let Some(load) = load.filter(|load| *load > LOADED) {
            tracing::debug!(target, load_ms = load.as_millis(), "the model was loaded before it answered");
        }
        Ok(response)
    }

    /// The decoder knows what it says of them.
    fn asked(&self) -> Vec<status::Asked> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_other_api_is_refused() {
        let base_url = "http://127.0.0.1:11434/v1".to_owned();
        let fault = Ollama::target(OllamaSettings { base_url, ..OllamaSettings::new("m") }).err().unwrap().to_string();
        assert!(fault.contains("Ollama's other API"), "{fault}");
        assert!(Ollama::target(OllamaSettings::new("m")).is_ok());
    }
}
