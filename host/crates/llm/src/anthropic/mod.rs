//! A target that speaks Anthropic's Messages over HTTP.

mod decode;
mod encode;
mod schema;

use async_trait::async_trait;
use gristmill_core::model::{ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;

use crate::headers::{Dialect, KeyPlace, Sent};
use crate::parameters::refuse_own;
use crate::provider::{Provider, Unanswered};
use crate::server::{self, Reach, Server};
use crate::settings::AnthropicSettings;
use decode::decode;
use encode::{OWN_FIELDS, encode};

/// The version of the API that this adapter is written for.
const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-api-key"), fixed: &[("anthropic-version", "2023-06-01")] };

/// One server and model. Asks once per call: retries are up to the flow.
pub(crate) struct Anthropic {
    server: Server,
    settings: AnthropicSettings,
}

impl Anthropic {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn new(settings: AnthropicSettings) -> anyhow::Result<Self> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let server = Server::new(Reach {
            name: format!("anthropic/{}", settings.model),
            url: server::url(&settings.base_url, &["messages"])?,
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
impl Provider for Anthropic {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, Unanswered> {
        let body = encode(&self.settings, request)?.to_string();
        let reply = self.server.ask(caller, request.timeout, body).await?;
        Ok(decode(self.server.name(), &reply, &self.server.quote(request))?)
    }
}
