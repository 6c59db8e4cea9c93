//! What any target has, whatever its provider.

use std::time::Duration;

use super::{ANTHROPIC_MAX_OUTPUT_TOKENS, HeaderText, LimitSettings, PriceSettings, SecretRef, TargetSettings};

impl TargetSettings {
    /// As "provider/model", as answers and logs call it. Of prepared answers the path of the script.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::OpenAi(target) => format!("openai/{}", target.model),
            Self::Anthropic(target) => format!("anthropic/{}", target.model),
            Self::Gemini(target) => format!("gemini/{}", target.model),
            Self::Ollama(target) => format!("ollama/{}", target.model),
            Self::Scripted(target) => format!("scripted/{}", target.script.display()),
        }
    }

    /// Whether it can make vectors of texts.
    #[must_use]
    pub fn embeds(&self) -> bool {
        !matches!(self, Self::Anthropic(_))
    }

    /// Whether this target limits the output tokens of a request that sets no limit.
    pub(crate) fn limits_output(&self) -> bool {
        match self {
            Self::OpenAi(target) => target.max_output_tokens.is_some(),
            // The API requires a limit.
            Self::Anthropic(_) => true,
            Self::Gemini(target) => target.max_output_tokens.is_some(),
            Self::Ollama(target) => target.max_output_tokens.is_some(),
            Self::Scripted(_) => false,
        }
    }

    /// The secrets that this target sends, each with its JSON Pointer below the target.
    #[must_use]
    pub fn secrets(&self) -> Vec<(String, &SecretRef)> {
        let (key, headers) = match self {
            Self::OpenAi(target) => (&target.key, &target.headers),
            Self::Anthropic(target) => (&target.key, &target.headers),
            Self::Gemini(target) => (&target.key, &target.headers),
            Self::Ollama(target) => (&target.key, &target.headers),
            Self::Scripted(_) => return Vec::new(),
        };
        let key = key.iter().map(|key| ("/key".to_owned(), key));
        let headers = headers.iter().filter_map(|(name, value)| match value {
            HeaderText::Secret(secret) => Some((format!("/headers/{}", name.replace('~', "~0")), secret)),
            HeaderText::Plain(_) => None,
        });
        key.chain(headers).collect()
    }

    /// How long one request may take. `None` for prepared answers.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        match self {
            Self::OpenAi(target) => Some(target.timeout),
            Self::Anthropic(target) => Some(target.timeout),
            Self::Gemini(target) => Some(target.timeout),
            Self::Ollama(target) => Some(target.timeout),
            Self::Scripted(_) => None,
        }
    }

    /// What its provider allows, as the file says it.
    #[must_use]
    pub fn limits(&self) -> LimitSettings {
        match self {
            Self::OpenAi(target) => target.limits,
            Self::Anthropic(target) => target.limits,
            Self::Gemini(target) => target.limits,
            Self::Ollama(target) => target.limits,
            Self::Scripted(_) => LimitSettings::default(),
        }
    }

    /// The price that the operator gives it, if any.
    #[must_use]
    pub fn own_price(&self) -> Option<PriceSettings> {
        match self {
            Self::OpenAi(target) => target.price,
            Self::Anthropic(target) => target.price,
            Self::Gemini(target) => target.price,
            Self::Ollama(target) => target.price,
            Self::Scripted(target) => target.price,
        }
    }

    /// The most tokens that one answer can have, whatever a request asks for. `None` if nothing bounds it.
    #[must_use]
    pub fn most_output_tokens(&self) -> Option<u32> {
        match self {
            Self::OpenAi(target) => target.max_output_tokens,
            Self::Anthropic(target) => Some(target.max_output_tokens.unwrap_or(ANTHROPIC_MAX_OUTPUT_TOKENS)),
            Self::Gemini(target) => target.max_output_tokens,
            Self::Ollama(target) => Some(target.max_output_tokens.unwrap_or(target.context)),
            Self::Scripted(_) => None,
        }
    }

    /// The tokens that are added to a limit on output tokens for what the model thinks.
    pub(crate) fn for_thinking(&self) -> u32 {
        match self {
            Self::OpenAi(target) => target.for_thinking(),
            Self::Anthropic(target) => target.for_thinking(),
            Self::Gemini(target) => target.for_thinking(),
            Self::Ollama(target) => target.for_thinking(),
            Self::Scripted(_) => 0,
        }
    }
}
