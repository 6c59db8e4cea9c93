//! A target that speaks OpenAI's chat completions over HTTP.

mod content;
mod decode;
mod dialect;
mod embed;
mod encode;
mod fault;
mod stream;

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use reqwest::Url;
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
use crate::settings::{KeyHeader, OpenAiSettings};
use crate::status::Asked;
use crate::stream::{Framing, Gathering};
use decode::decode;
use embed::{Embeddings, Written};
use encode::{OWN_FIELDS, OutputLimit, encode};
use stream::Completion;

/// OpenAI's chat completions, as one target speaks it.
pub(crate) struct OpenAi {
    limit: OutputLimit,
    settings: OpenAiSettings,
}

impl OpenAi {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn target(settings: OpenAiSettings) -> anyhow::Result<Http<Self>> {
        refuse_own(&OWN_FIELDS, settings.options.keys().chain(&settings.allowed_options))?;
        let url = address(&settings, &["chat", "completions"])?;
        let key = match settings.key_header {
            KeyHeader::Authorization => KeyPlace::Bearer,
            KeyHeader::ApiKey => KeyPlace::Named("api-key"),
        };
        let limit = output_limit(&url);
        let name = format!("openai/{}", settings.model);
        let dialect = Dialect { key, fixed: &[] };
        let server = Server::new(Reach {
            sent: Secrets::read(&name, dialect, settings.key.as_ref(), &settings.headers)?.into(),
            name,
            account: Account { base_url: settings.base_url.clone(), key: settings.key.clone() },
            model: settings.model.clone(),
            url,
            timeout: settings.timeout,
            pace: Pace::of(settings.stream, settings.first_byte, settings.idle),
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        let written = if limit == OutputLimit::MaxCompletionTokens { Written::Base64 } else { Written::Numbers };
        let embedder = Embedder {
            server: server.at(address(&settings, &["embeddings"])?, embedding::MAX_BYTES),
            bounds: written.bounds().set(settings.embeddings),
            api: Box::new(Embeddings { model: settings.model.clone(), written }),
        };
        Ok(Http { server, api: Self { limit, settings }, embedder: Some(embedder) })
    }
}

/// The address of a method, with the version that Azure wants.
fn address(settings: &OpenAiSettings, path: &[&str]) -> anyhow::Result<Url> {
    let mut url = server::url(&settings.base_url, path)?;
    if let Some(version) = &settings.api_version {
        url.query_pairs_mut().append_pair("api-version", version);
    }
    Ok(url)
}

impl Api for OpenAi {
    fn encode(&self, request: &ChatRequest) -> Result<Value, ChatFailure> {
        Ok(Value::Object(encode(&self.settings, self.limit, request)?))
    }

    fn gathering(&self) -> Gathering {
        Gathering { framing: Framing::Events, gather: Box::<Completion>::default() }
    }

    fn decode(
        &self,
        target: &str,
        _: &ChatRequest,
        reply: &Reply,
        quote: &Quote<'_>,
    ) -> Result<ChatResponse, Unanswered> {
        decode(target, reply, quote)
    }

    fn asked(&self) -> Vec<Asked> {
        let mut asked = Vec::new();
        if self.settings.stream {
            asked.push(Asked { word: "stream_options", advice: "set `stream = false` for the target" });
        }
        if self.settings.thinking.is_some() {
            let advice = "give `thinking` another level, or remove it from the target";
            asked.push(Asked { word: "reasoning_effort", advice });
        }
        asked
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
    use crate::settings::Level;

    fn fault(settings: OpenAiSettings) -> String {
        OpenAi::target(settings).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn the_path_and_the_version_are_added_to_the_base_url() {
        for (base, version, expected) in [
            ("https://api.openai.com/v1", None, "https://api.openai.com/v1/chat/completions"),
            ("https://h/openai/v1?a=1", None, "https://h/openai/v1/chat/completions?a=1"),
            ("https://h/d/mini", Some("2024-10-21"), "https://h/d/mini/chat/completions?api-version=2024-10-21"),
        ] {
            let api_version = version.map(str::to_owned);
            let target =
                OpenAi::target(OpenAiSettings { base_url: base.into(), api_version, ..OpenAiSettings::new("m") });
            let target = target.unwrap();
            assert_eq!(target.server.reach().url.as_str(), expected);
            let embeddings = expected.replace("chat/completions", "embeddings");
            assert_eq!(target.embedder.unwrap().server.reach().url.as_str(), embeddings);
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
    fn only_what_the_operator_asked_for_can_be_refused_as_such() {
        let words = |settings| -> Vec<&str> {
            OpenAi::target(settings).unwrap().api.asked().iter().map(|asked| asked.word).collect()
        };
        assert_eq!(words(OpenAiSettings::new("m")), ["stream_options"]);
        let thinks = OpenAiSettings { stream: false, thinking: Some(Level::Low), ..OpenAiSettings::new("m") };
        assert_eq!(words(thinks), ["reasoning_effort"]);
    }

    #[test]
    fn the_name_of_the_bound_goes_by_the_address() {
        let limit = |base: &str| output_limit(&server::url(base, &[]).unwrap());
        assert_eq!(limit("https://api.openai.com/v1"), OutputLimit::MaxCompletionTokens);
        assert_eq!(limit("https://x.openai.azure.com/openai/v1"), OutputLimit::MaxCompletionTokens);
        assert_eq!(limit("http://127.0.0.1:8080/v1"), OutputLimit::MaxTokens);
    }
}
