//! A target that speaks Anthropic's Messages over HTTP.

mod decode;
mod encode;
mod schema;
mod stream;

use anyhow::bail;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use serde_json::Value;

use crate::answered::Unanswered;
use crate::headers::{Dialect, KeyPlace};
use crate::limits::Account;
use crate::pace::Pace;
use crate::parameters::refuse_own;
use crate::provider::{Api, Http};
use crate::quote::Quote;
use crate::secrets::Secrets;
use crate::server::{self, Reach, Reply, Server};
use crate::settings::{AnthropicSettings, AnthropicStructured, Level, Thinking};
use crate::status::Asked;
use crate::stream::{Framing, Gathering};
use decode::decode;
use encode::{FEWEST_THINKING_TOKENS, OWN_FIELDS, encode};
pub(crate) use schema::unheld;
use stream::Message;

/// The version of the API that this adapter is written for.
const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-api-key"), fixed: &[("anthropic-version", "2023-06-01")] };

/// How models differ in what they take.
const THINKING: Asked = Asked {
    word: "thinking",
    advice: "models since Claude 4.6 take a level of `thinking`, those before a number of tokens",
};

/// Anthropic's Messages, as one target speaks it.
pub(crate) struct Anthropic(AnthropicSettings);

impl Anthropic {
    /// Checks the settings and reads the key; does not connect yet.
    pub(crate) fn target(settings: AnthropicSettings) -> anyhow::Result<Http<Self>> {
        refuse_own(&OWN_FIELDS, &settings.allowed_options)?;
        check_thinking(&settings)?;
        let name = format!("anthropic/{}", settings.model);
        let server = Server::new(Reach {
            sent: Secrets::read(&name, DIALECT, settings.key.as_ref(), &settings.headers)?.into(),
            name,
            account: Account { base_url: settings.base_url.clone(), key: settings.key.clone() },
            model: settings.model.clone(),
            url: server::url(&settings.base_url, &["messages"])?,
            timeout: settings.timeout,
            pace: Pace::of(settings.stream, settings.first_byte, settings.idle),
            max_answer_bytes: settings.max_answer_bytes,
        })?;
        Ok(Http { server, api: Self(settings), embedder: None })
    }
}

impl Api for Anthropic {
    fn encode(&self, request: &ChatRequest) -> Result<Value, ChatFailure> {
        encode(&self.0, request)
    }

    fn gathering(&self) -> Gathering {
        Gathering { framing: Framing::Events, gather: Box::<Message>::default() }
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

/// Refuses what the API refuses in every request.
fn check_thinking(settings: &AnthropicSettings) -> anyhow::Result<()> {
    let Some(thinking) = settings.thinking.filter(|thinking| *thinking != Thinking::Level(Level::Off)) else {
        return Ok(());
    };
    if thinking.tokens() < FEWEST_THINKING_TOKENS {
        bail!("its `thinking` is {} tokens, and Anthropic takes at least {FEWEST_THINKING_TOKENS}", thinking.tokens());
    }
    if settings.structured == AnthropicStructured::Tool {
        bail!(
            "`structured = \"tool\"` forces a tool, which Anthropic refuses beside `thinking`; set `structured` to \
             \"json_schema\" or \"prompt\""
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(thinking: Thinking, structured: AnthropicStructured) -> String {
        let settings = AnthropicSettings { thinking: Some(thinking), structured, ..AnthropicSettings::new("m") };
        Anthropic::target(settings).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn thinking_that_the_api_refuses_is_told_at_the_start() {
        let (json, tool) = (AnthropicStructured::JsonSchema, AnthropicStructured::Tool);
        assert_eq!(fault(Thinking::Tokens(1_024), json), "");
        assert!(fault(Thinking::Tokens(1_000), json).contains("at least 1024"));
        assert_eq!(fault(Thinking::Level(Level::Off), tool), "");
        assert!(fault(Thinking::Level(Level::Low), tool).contains("forces a tool"));
    }
}
