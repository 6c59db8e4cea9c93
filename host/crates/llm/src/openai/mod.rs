//! A target that speaks OpenAI's chat completions over HTTP.

mod content;
mod decode;
mod delay;
mod dialect;
mod encode;
mod fault;
mod retry_after;
mod stream;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url, redirect, retry};
use serde_json::Value;

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, Sign, TRACEPARENT};
use gristmill_core::ports::Caller;

use crate::provider::{Provider, Unanswered};

use crate::headers::{Dialect, KeyPlace, Sent};
use crate::quote::{Quote, clean};
use crate::settings::{KeyHeader, OpenAiSettings};
use decode::decode;
use encode::{OWN_FIELDS, OutputLimit, encode};
use fault::Reply;
pub(crate) use retry_after::retry_after;

/// A server that does not accept the connection within this time is unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One server and model. Asks once per call: retries are up to the flow.
pub(crate) struct OpenAi {
    name: String,
    client: Client,
    url: Url,
    sent: Sent,
    limit: OutputLimit,
    settings: OpenAiSettings,
}

impl OpenAi {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn new(settings: OpenAiSettings) -> anyhow::Result<Self> {
        for name in settings.options.keys().chain(&settings.allowed_options) {
            if OWN_FIELDS.contains(&name.as_str()) {
                bail!("the option {name:?} cannot be set freely: Gristmill sets it; remove it from the options");
            }
        }
        let mut url = completions_url(&settings.base_url)?;
        if let Some(version) = &settings.api_version {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        let key = match settings.key_header {
            KeyHeader::Authorization => KeyPlace::Bearer,
            KeyHeader::ApiKey => KeyPlace::Named("api-key"),
        };
        let sent = Sent::read(&Dialect { key, fixed: &[] }, settings.key.as_ref(), &settings.headers)?;
        // Within the target's time, so that no connection is told apart from no answer.
        let connect = CONNECT_TIMEOUT.min(settings.timeout / 2);
        let mut client = Client::builder()
            .connect_timeout(connect)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&url) {
            client = client.no_proxy();
        }
        let client = client.build().context("the HTTP client cannot be created")?;
        let limit = output_limit(&url);
        Ok(Self { name: format!("openai/{}", settings.model), client, url, sent, limit, settings })
    }

    /// SHA-256 of the secrets that are sent.
    pub(crate) fn key_digest(&self) -> Option<[u8; 32]> {
        self.sent.digest()
    }

    async fn read(&self, mut response: Response, limit: Duration) -> Result<Bytes, Unanswered> {
        let most = self.settings.max_answer_bytes;
        let too_large = || {
            let message = format!("{} answered with more than {most} bytes", self.name);
            // It may have been paid for, so it is not repeated without end.
            Unanswered { failure: ChatFailure::Unavailable { message, after: None }, sign: None }
        };
        if response.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > most => return Err(too_large()),
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => return Err(self.lost(error, limit)),
            }
        }
    }

    /// The failure for a missing or incomplete answer.
    fn lost(&self, error: reqwest::Error, limit: Duration) -> Unanswered {
        if error.is_timeout() && !error.is_connect() {
            return ChatFailure::Timeout(format!("{} gave no complete answer within {limit:?}", self.name)).into();
        }
        let (what, sign) = match error.is_connect() {
            true => ("cannot be reached", Sign::Unreached),
            false => ("dropped the connection", Sign::Broken),
        };
        // The innermost cause is the helpful one: "connection refused". The URL is left out: its path could be secret.
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let host = self.url.host_str().unwrap_or_default();
        let message = format!("{} at {host} {what}: {}", self.name, clean(&cause.to_string()));
        Unanswered { failure: ChatFailure::Unavailable { message, after: None }, sign: Some(sign) }
    }
}

#[async_trait]
impl Provider for OpenAi {
    /// Takes at most the shorter of the request's and the target's timeout.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, Unanswered> {
        let limit = request.timeout.map_or(self.settings.timeout, |asked| asked.min(self.settings.timeout));
        let body = Value::Object(encode(&self.settings, self.limit, request)?).to_string();
        let call = self.client.post(self.url.clone()).timeout(limit).headers(self.sent.headers.clone());
        let call = call.header(CONTENT_TYPE, "application/json").header(TRACEPARENT, caller.trace.to_string());
        let response = call.body(body).send().await.map_err(|error| self.lost(error, limit))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response, limit).await?;
        let reply = Reply { status, headers: &headers, body: &body };
        decode(&self.name, &reply, SystemTime::now(), &Quote { key: self.sent.secrets.as_ref(), request })
    }
}

fn completions_url(base: &str) -> anyhow::Result<Url> {
    let base = base.trim();
    // Errors do not repeat the address: it may contain a password.
    let mut url = match Url::parse(base) {
        Ok(url) => url,
        Err(error) => bail!("`base_url` is not an address: {error}; write it like https://host/v1"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        bail!("`base_url` contains a user name or password; give secrets as `key`");
    }
    if !matches!(url.scheme(), "http" | "https") {
        bail!("`base_url` begins with {:?}; it can be http or https", url.scheme());
    }
    if url.fragment().is_some() {
        bail!("`base_url` has a fragment (#…), which is never sent; remove it");
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["chat", "completions"]);
    }
    Ok(url)
}

/// Whether the address is on this machine: such servers are never asked through a proxy.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
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
    fn the_path_is_added_to_the_base_url() {
        for (base, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
            (" http://[::1]:8080 ", "http://[::1]:8080/chat/completions"),
            ("https://h/openai/v1?api-version=1", "https://h/openai/v1/chat/completions?api-version=1"),
        ] {
            assert_eq!(completions_url(base).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_base_url_that_cannot_be_used_is_told_without_its_secrets() {
        for (base, expected) in [
            ("api.openai.com/v1", "is not an address"),
            ("ftp://host/v1", "http or https"),
            ("https://user:canary@host/v1", "give secrets as `key`"),
            ("https://canary@host/v1", "give secrets as `key`"),
            ("https://host/v1#canary", "fragment"),
        ] {
            let fault = fault(OpenAiSettings { base_url: base.into(), ..OpenAiSettings::new("m") });
            assert!(fault.contains(expected) && !fault.contains("canary"), "{fault}");
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
        let limit = |base: &str| output_limit(&completions_url(base).unwrap());
        assert_eq!(limit("https://api.openai.com/v1"), OutputLimit::MaxCompletionTokens);
        assert_eq!(limit("https://x.openai.azure.com/openai/v1"), OutputLimit::MaxCompletionTokens);
        assert_eq!(limit("http://127.0.0.1:8080/v1"), OutputLimit::MaxTokens);
    }

    #[test]
    fn only_this_machine_is_asked_around_the_proxy() {
        let here = |base: &str| is_this_machine(&completions_url(base).unwrap());
        assert!(here("http://localhost:1/v1") && here("http://127.0.0.1:1/v1") && here("http://[::1]:1/v1"));
        assert!(!here("http://10.0.0.1/v1") && !here("https://api.openai.com/v1"));
    }
}
