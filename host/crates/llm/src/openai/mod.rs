//! A target that speaks OpenAI's chat completions over HTTP.

mod content;
mod decode;
mod dialect;
mod encode;
mod fault;
mod stream;

use async_trait::async_trait;
use gristmill_core::model::{ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;
use reqwest::Url;
use serde_json::Value;

use crate::headers::{Dialect, KeyPlace, Sent};
use crate::parameters::refuse_own;
use crate::provider::{Provider, Unanswered};
use crate::server::{self, Reach, Server};
use crate::settings::{KeyHeader, OpenAiSettings};
use decode::decode;
use encode::{OWN_FIELDS, OutputLimit, encode};

/// One server and model. Asks once per call: retries are up to the flow.
pub(crate) struct OpenAi {
    server: Server,
    limit: OutputLimit,
    settings: OpenAiSettings,
}

impl OpenAi {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn new(settings: OpenAiSettings) -> anyhow::Result<Self> {
        refuse_own(&OWN_FIELDS, settings.options.keys().chain(&settings.allowed_options))?;
        let mut url = server::url(&settings.base_url, &["chat", "completions"])?;
        if let Some(version) = &settings.api_version {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        let key = match settings.key_header {
            KeyHeader::Authorization => KeyPlace::Bearer,
            KeyHeader::ApiKey => KeyPlace::Named("api-key"),
        };
        let limit = output_limit(&url);
        let server = Server::new(Reach {
            name: format!("openai/{}", settings.model),
            url,
            sent: Sent::read(&Dialect { key, fixed: &[] }, settings.key.as_ref(), &settings.headers)?,
            timeout: settings.timeout,
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        Ok(Self { server, limit, settings })
    }

    /// SHA-256 of the secrets that are sent.
    pub(crate) fn key_digest(&self) -> Option<[u8; 32]> {
        self.server.key_digest()
    }
}

#[async_trait]
impl Provider for OpenAi {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, Unanswered> {
        let body = Value::Object(encode(&self.settings, self.limit, request)?).to_string();
        let reply = self.server.ask(caller, request.timeout, body).await?;
        decode(self.server.name(), &reply, &self.server.quote(request))
    }
}

/// OpenAI's and Azure's own servers have replaced `max_tokens`, which all others understand.
fn output_limit(url: &Url) -> OutputLimit {
    match url.host_str() {
        Some(host) if host == "api.openai.com" || host.ends_with(".openai.azure.com") => {
            OutputLimit::MaxCompletionTokens
        }
        _ => OutputLimit::MaxTokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(settings: OpenAiSettings) -> String {
        OpenAi::new(settings).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn the_path_and_the_version_are_added_to_the_base_url() {
        for (base, version, expected) in [
            ("https://api.openai.com/v1", None, "https://api.openai.com/v1/chat/completions"),
            ("https://h/openai/v1?a=1", None, "https://h/openai/v1/chat/completions?a=1"),
            ("https://h/d/mini", Some("2024-10-21"), "https://h/d/mini/chat/completions?api-version=2024-10-21"),
        ] {
            let api_version = version.map(str::to_owned);
            let target = OpenAi::new(OpenAiSettings { base_url: base.into(), api_version, ..OpenAiSettings::new("m") });
            assert_eq!(target.unwrap().server.url().as_str(), expected);
        }
    }

    #[test]
    fn own_fields_cannot_be_options() {
        let stream = [("stream".to_owned(), Value::Bool(true))].into_iter().collect();
        assert!(fault(OpenAiSettings { options: stream, ..OpenAiSettings::new("m") }).contains("\"stream\""));
        let allowed = OpenAiSettings { allowed_options: vec!["n".into()], ..OpenAiSettings::new("m") };
        assert!(fault(allowed).contains("\"n\""));
    }

    #[test]
    fn the_name_of_the_bound_goes_by_the_address() {
        let limit = |base: &str| output_limit(&server::url(base, &[]).unwrap());
        assert_eq!(limit("https://api.openai.com/v1"), OutputLimit::MaxCompletionTokens);
        assert_eq!(limit("https://x.openai.azure.com/openai/v1"), OutputLimit::MaxCompletionTokens);
        assert_eq!(limit("http://127.0.0.1:8080/v1"), OutputLimit::MaxTokens);
    }
}
