//! A target that speaks Anthropic's Messages over HTTP.

mod decode;
mod encode;
mod schema;

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use serde_json::Value;

use crate::headers::{Dialect, KeyPlace, Sent};
use crate::limits::Account;
use crate::parameters::refuse_own;
use crate::provider::{Api, Http, Unanswered};
use crate::quote::Quote;
use crate::server::{self, Reach, Reply, Server};
use crate::settings::AnthropicSettings;
use decode::decode;
use encode::{OWN_FIELDS, encode};

/// The version of the API that this adapter is written for.
const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-api-key"), fixed: &[("anthropic-version", "2023-06-01")] };

/// Anthropic's Messages, as one target speaks it.
pub(crate) struct Anthropic(AnthropicSettings);

impl Anthropic {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn target(settings: AnthropicSettings) -> anyhow::Result<Http<Self>> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        let server = Server::new(Reach {
            name: format!("anthropic/{}", settings.model),
            account: Account { base_url: settings.base_url.clone(), key: settings.key.clone() },
            model: settings.model.clone(),
            url: server::url(&settings.base_url, &["messages"])?,
            sent: Sent::read(&DIALECT, settings.key.as_ref(), &settings.headers)?,
            timeout: settings.timeout,
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        Ok(Http { server, api: Self(settings), embedder: None })
    }
}

impl Api for Anthropic {
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
