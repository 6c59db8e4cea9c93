//! A target that speaks Gemini's generateContent over HTTP.

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
use crate::settings::GeminiSettings;
use decode::decode;
use encode::{OWN_FIELDS, encode};

/// The key goes into a header and never into the address, which ends up in logs of proxies.
const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-goog-api-key"), fixed: &[] };

/// One server and model. Asks once per call: retries are up to the flow.
pub(crate) struct Gemini {
    server: Server,
    settings: GeminiSettings,
}

impl Gemini {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn new(settings: GeminiSettings) -> anyhow::Result<Self> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let method = format!("{}:generateContent", settings.model);
        let server = Server::new(Reach {
            name: format!("gemini/{}", settings.model),
            url: server::url(&settings.base_url, &["models", &method])?,
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
impl Provider for Gemini {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, Unanswered> {
        let body = encode(&self.settings, request)?.to_string();
        let reply = self.server.ask(caller, request.timeout, body).await?;
        Ok(decode(self.server.name(), &reply, &self.server.quote(request))?)
    }
}
