//! A target that speaks Gemini's generateContent over HTTP.

mod decode;
mod embed;
mod encode;
mod schema;

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use serde_json::Value;

use crate::embedding::{self, Embedder};
use crate::headers::{Dialect, KeyPlace, Sent};
use crate::limits::Account;
use crate::parameters::refuse_own;
use crate::provider::{Api, Http, Unanswered};
use crate::quote::Quote;
use crate::server::{self, Reach, Reply, Server};
use crate::settings::GeminiSettings;
use decode::decode;
use encode::{OWN_FIELDS, encode};

/// The key goes into a header and never into the address, which ends up in logs of proxies.
const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-goog-api-key"), fixed: &[] };

/// Gemini's generateContent, as one target speaks it.
pub(crate) struct Gemini(GeminiSettings);

impl Gemini {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn target(settings: GeminiSettings) -> anyhow::Result<Http<Self>> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let method = format!("{}:generateContent", settings.model);
        let server = Server::new(Reach {
            name: format!("gemini/{}", settings.model),
            account: Account { base_url: settings.base_url.clone(), key: settings.key.clone() },
            model: settings.model.clone(),
            url: server::url(&settings.base_url, &["models", &method])?,
            sent: Sent::read(&DIALECT, settings.key.as_ref(), &settings.headers)?,
            timeout: settings.timeout,
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        let method = format!("{}:batchEmbedContents", settings.model);
        let url = server::url(&settings.base_url, &["models", &method])?;
        let embedder = Embedder {
            server: server.at(url, embedding::MAX_BYTES),
            bounds: embed::BOUNDS.set(settings.embeddings),
            api: Box::new(embed::Embeddings { model: settings.model.clone() }),
        };
        Ok(Http { server, api: Self(settings), embedder: Some(embedder) })
    }
}

impl Api for Gemini {
    fn encode(&self, request: &ChatRequest) -> Result<Value, ChatFailure> {
        encode(&self.0, request)
    }

    fn decode(
        &self,
        target: &str,
        _: &ChatRequest,
        reply: &Reply,
        quote: &Quote<'_>,
    ) -> Result<ChatResponse, Unanswered> {
        Ok(decode(target, reply, quote)?)
    }
}
