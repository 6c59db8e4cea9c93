//! The prices of common models at their own providers, for targets that name none.

use gristmill_core::model::Usd;

use crate::price::{Price, Rates};
use crate::settings::{
    ANTHROPIC_BASE_URL, GEMINI_BASE_URL, OPENAI_BASE_URL, OllamaSettings, ScriptedSettings, TargetSettings,
};

/// The day up to which the prices below are known to have held. Those of Anthropic are from its price list, those of the
/// others from LiteLLM's. A model whose price could not be confirmed is not here.
pub const AS_OF: &str = "2026-07-24";

/// A thousandth of a dollar for a million tokens is a billionth for one.
struct Row {
    model: &'static str,
    /// Thousandths of a dollar for a million tokens: input, cached input, cache write, output.
    rates: [u64; 4],
    /// The same for requests of more input tokens than the first number.
    long: Option<(u64, [u64; 4])>,
}

const fn row(model: &'static str, rates: [u64; 4]) -> Row {
    Row { model, rates, long: None }
}

const fn tiered(model: &'static str, rates: [u64; 4], above: u64, long: [u64; 4]) -> Row {
    Row { model, rates, long: Some((above, long)) }
}

const OPENAI: &[Row] = &[
    row("gpt-4.1", [2_000, 500, 2_000, 8_000]),
    row("gpt-4.1-mini", [400, 100, 400, 1_600]),
    row("gpt-4.1-nano", [100, 25, 100, 400]),
    row("gpt-4o", [2_500, 1_250, 2_500, 10_000]),
    row("gpt-4o-mini", [150, 75, 150, 600]),
    row("gpt-5", [1_250, 125, 1_250, 10_000]),
    row("gpt-5-mini", [250, 25, 250, 2_000]),
    row("gpt-5-nano", [50, 5, 50, 400]),
    row("gpt-5.1", [1_250, 125, 1_250, 10_000]),
    row("gpt-5.2", [1_750, 175, 1_750, 14_000]),
    tiered("gpt-5.4", [2_500, 250, 2_500, 15_000], 272_000, [5_000, 500, 5_000, 22_500]),
    row("gpt-5.4-mini", [750, 75, 750, 4_500]),
    row("gpt-5.4-nano", [200, 20, 200, 1_250]),
    tiered("gpt-5.5", [5_000, 500, 5_000, 30_000], 272_000, [10_000, 1_000, 10_000, 45_000]),
    row("o3", [2_000, 500, 2_000, 8_000]),
    row("o4-mini", [1_100, 275, 1_100, 4_400]),
    row("text-embedding-3-large", [130, 130, 130, 0]),
    row("text-embedding-3-small", [20, 20, 20, 0]),
];

/// A cache is written for five minutes.
const ANTHROPIC: &[Row] = &[
    row("claude-haiku-4-5", [1_000, 100, 1_250, 5_000]),
    row("claude-opus-4-5", [5_000, 500, 6_250, 25_000]),
    row("claude-opus-4-6", [5_000, 500, 6_250, 25_000]),
    row("claude-opus-4-7", [5_000, 500, 6_250, 25_000]),
    row("claude-opus-4-8", [5_000, 500, 6_250, 25_000]),
    row("claude-opus-5", [5_000, 500, 6_250, 25_000]),
    row("claude-sonnet-4-6", [3_000, 300, 3_750, 15_000]),
    row("claude-sonnet-5", [2_000, 200, 2_500, 10_000]),
];

const GEMINI: &[Row] = &[
    row("gemini-2.5-flash", [300, 30, 300, 2_500]),
    row("gemini-2.5-flash-lite", [100, 10, 100, 400]),
    tiered("gemini-2.5-pro", [1_250, 125, 1_250, 10_000], 200_000, [2_500, 250, 2_500, 15_000]),
    row("gemini-3.1-flash-lite", [250, 25, 250, 1_500]),
    row("gemini-3.5-flash", [1_500, 150, 1_500, 9_000]),
    row("gemini-3.6-flash", [1_500, 150, 1_500, 7_500]),
    row("gemini-embedding-001", [150, 150, 150, 0]),
];

/// The price of a target: its own, else that of its model if it is asked at its own provider: what others ask for it is not
/// known. A local Ollama and a script cost nothing. `None` if nobody knows.
#[must_use]
pub fn of(target: &TargetSettings) -> Option<Price> {
    if let Some(own) = target.own_price() {
        return Some(own.into());
    }
    let (rows, model) = match target {
        TargetSettings::OpenAi(target) if is_at(&target.base_url, OPENAI_BASE_URL) => (OPENAI, &target.model),
        TargetSettings::Anthropic(target) if is_at(&target.base_url, ANTHROPIC_BASE_URL) => (ANTHROPIC, &target.model),
        TargetSettings::Gemini(target) if is_at(&target.base_url, GEMINI_BASE_URL) => (GEMINI, &target.model),
        TargetSettings::Ollama(OllamaSettings { key: None, .. })
        | TargetSettings::Scripted(ScriptedSettings { .. }) => {
            return Some(Price::FREE);
        }
        _ => return None,
    };
    let model = undated(model);
    rows.iter().find(|row| row.model == model).map(Row::price)
}

fn is_at(base: &str, provider: &str) -> bool {
    base.trim_end_matches('/') == provider
}

/// A model's name without the date of its version: "gpt-5-mini-2025-08-07", "claude-haiku-4-5-20251001".
fn undated(model: &str) -> &str {
    let is_date = |text: &str| match text.len() {
        8 => text.bytes().all(|byte| byte.is_ascii_digit()),
        10 => text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        }),
        _ => false,
    };
    for length in [8, 10] {
        let Some(at) = model.len().checked_sub(length) else { continue };
        if let Some((name, date)) = model.split_at_checked(at)
            && is_date(date)
            && let Some(name) = name.strip_suffix('-')
        {
            return name;
        }
    }
    model
}

impl Row {
    fn price(&self) -> Price {
        let rates = |[input, cached_input, cache_write, output]: [u64; 4]| {
            let usd = |thousandths: u64| Usd::nano(thousandths * 1_000_000);
            Rates {
                input: usd(input),
                cached_input: usd(cached_input),
                cache_write: usd(cache_write),
                output: usd(output),
            }
        };
        Price { rates: rates(self.rates), long: self.long.map(|(above, long)| (above, rates(long))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{AnthropicSettings, GeminiSettings, OpenAiSettings, PriceSettings, SecretRef};

    fn input(target: TargetSettings) -> Option<String> {
        of(&target).map(|price| price.rates.input.to_string())
    }

    fn openai(model: &str, base_url: &str) -> TargetSettings {
        TargetSettings::OpenAi(OpenAiSettings { base_url: base_url.into(), ..OpenAiSettings::new(model) })
    }

    #[test]
    fn a_common_model_has_a_price_at_its_own_provider_only() {
        assert_eq!(input(openai("gpt-5-mini", OPENAI_BASE_URL)).as_deref(), Some("0.25 USD"));
        assert_eq!(input(openai("gpt-5-mini", "https://api.openai.com/v1/")).as_deref(), Some("0.25 USD"));
        assert_eq!(input(openai("gpt-5-mini-2025-08-07", OPENAI_BASE_URL)).as_deref(), Some("0.25 USD"));
        assert_eq!(input(openai("gpt-5-mini", "https://gateway.example.com/v1")), None);
        assert_eq!(input(openai("gpt-5-minimal", OPENAI_BASE_URL)), None);
        assert_eq!(input(openai("2025-08-07", OPENAI_BASE_URL)), None);
        assert_eq!(input(openai("é-2025-08-07", OPENAI_BASE_URL)), None);
        let anthropic = AnthropicSettings::new("claude-haiku-4-5-20251001");
        assert_eq!(input(TargetSettings::Anthropic(anthropic)).as_deref(), Some("1 USD"));
        let gemini = GeminiSettings::new("gemini-2.5-flash");
        assert_eq!(input(TargetSettings::Gemini(gemini)).as_deref(), Some("0.3 USD"));
    }

    #[test]
    fn what_runs_here_is_free_unless_it_has_a_price() {
        let local = OllamaSettings::new("llama3.2");
        assert_eq!(of(&TargetSettings::Ollama(local.clone())), Some(Price::FREE));
        let cloud = OllamaSettings { key: Some(SecretRef::Env("KEY".into())), ..local.clone() };
        assert_eq!(of(&TargetSettings::Ollama(cloud)), None, "with a key it is somebody else's");
        let usd: Usd = "1 USD".parse().unwrap();
        let price = Some(PriceSettings { input: usd, cached_input: None, cache_write: None, output: usd });
        let priced = OllamaSettings { price, ..local };
        assert_eq!(input(TargetSettings::Ollama(priced)).as_deref(), Some("1 USD"));
    }

    #[test]
    fn every_model_is_there_once() {
        for rows in [OPENAI, ANTHROPIC, GEMINI] {
            for (index, row) in rows.iter().enumerate() {
                assert!(rows[..index].iter().all(|other| other.model != row.model), "{}", row.model);
                assert_eq!(undated(row.model), row.model);
            }
        }
    }
}
