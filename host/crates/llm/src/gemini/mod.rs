//! A target that speaks Gemini's generateContent over HTTP.

mod decode;
mod embed;
mod encode;
mod schema;
mod stream;

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
use crate::settings::GeminiSettings;
use crate::status::Asked;
use crate::stream::{Framing, Gathering};
use decode::decode;
use encode::{OWN_FIELDS, encode};
pub(crate) use schema::unheld;
use stream::Response;

/// The key goes into a header and never into the address, which ends up in logs of proxies.
const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-goog-api-key"), fixed: &[] };

/// How models differ in what they take.
const THINKING: Asked = Asked {
    word: "thinking",
    advice: "models since Gemini 3 take a level of `thinking`, those before a number of tokens, and some cannot be told `off`",
};

/// Gemini's generateContent, as one target speaks it.
pub(crate) struct Gemini(GeminiSettings);

impl Gemini {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn target(settings: GeminiSettings) -> anyhow::Result<Http<Self>> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let method = match settings.stream {
            true => "streamGenerateContent",
            false => "generateContent",
        };
        let mut url = server::url(&settings.base_url, &["models", &format!("{}:{method}", settings.model)])?;
        if settings.stream {
            // Otherwise the stream is one JSON array.
            url.query_pairs_mut().append_pair("alt", "sse");
        }
        let name = format!("gemini/{}", settings.model);
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

    fn gathering(&self) -> Gathering {
        Gathering { framing: Framing::Events, gather: Box::<Response>::default() }
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

    fn asked(&self) -> Vec<Asked> {
        self.0.thinking.map(|_| THINKING).into_iter().collect()
    }
}
