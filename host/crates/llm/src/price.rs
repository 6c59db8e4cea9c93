//! What tokens cost. Pure.

use gristmill_core::model::{Usage, Usd};

use crate::settings::PriceSettings;

/// Prices are for so many tokens.
const PER: u128 = 1_000_000;

/// The prices of a million tokens of each kind. Tokens of reasoning are output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Input that is neither read from a cache nor written to one.
    pub input: Usd,
    /// Input that the provider read from its cache.
    pub cached_input: Usd,
    /// Input that the provider wrote to its cache.
    pub cache_write: Usd,
    /// Output.
    pub output: Usd,
}

impl Rates {
    const FREE: Self = Self { input: Usd::ZERO, cached_input: Usd::ZERO, cache_write: Usd::ZERO, output: Usd::ZERO };

    /// Rounded up to the next billionth: a cost is never told too low.
    fn of(&self, tokens: Tokens) -> Usd {
        let Tokens { plain, read, written, output } = tokens;
        let of = |count: u64, rate: Usd| u128::from(count) * u128::from(rate.get());
        let sum = of(plain, self.input) + of(read, self.cached_input) + of(written, self.cache_write);
        let sum = sum.saturating_add(of(output, self.output)).div_ceil(PER);
        Usd::nano(u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

struct Tokens {
    plain: u64,
    read: u64,
    written: u64,
    output: u64,
}

/// The price of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Of a request.
    pub rates: Rates,
    /// Of a request with more tokens of input than this: all its tokens cost that.
    pub long: Option<(u64, Rates)>,
}

impl Price {
    /// Of a model that costs nothing.
    pub const FREE: Self = Self { rates: Rates::FREE, long: None };

    /// Whether nothing costs anything.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    /// What a call cost. `None` if the provider did not tell its tokens, unless they are free. What it does not tell of its
    /// cache did not happen there.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<Usd> {
        if self.is_free() {
            return Some(Usd::ZERO);
        }
        let (input, output) = (usage.input_tokens?, usage.output_tokens?);
        let read = usage.cache_read_input_tokens.unwrap_or(0).min(input);
        let written = usage.cache_write_input_tokens.unwrap_or(0).min(input - read);
        Some(self.rates(input).of(Tokens { plain: input - read - written, read, written, output }))
    }

    /// The most that a call with so many tokens costs, whatever the provider's cache does.
    #[must_use]
    pub fn most(&self, input: u64, output: u64) -> Usd {
        let rates = |rates: &Rates| {
            let dearest = rates.input.max(rates.cached_input).max(rates.cache_write);
            let of = Tokens { plain: input, read: 0, written: 0, output };
            Rates { input: dearest, ..*rates }.of(of)
        };
        // An estimate can be on the wrong side of the bound.
        let long = self.long.filter(|(above, _)| input.saturating_mul(2) > *above).map(|(_, long)| rates(&long));
        rates(&self.rates).max(long.unwrap_or(Usd::ZERO))
    }

    fn rates(&self, input: u64) -> &Rates {
        match &self.long {
            Some((above, long)) if input > *above => long,
            _ => &self.rates,
        }
    }
}

impl From<PriceSettings> for Price {
    fn from(settings: PriceSettings) -> Self {
        let PriceSettings { input, cached_input, cache_write, output } = settings;
        let (cached_input, cache_write) = (cached_input.unwrap_or(input), cache_write.unwrap_or(input));
        Self { rates: Rates { input, cached_input, cache_write, output }, long: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    fn price(input: &str, cached_input: &str, cache_write: &str, output: &str) -> Price {
        let (cached_input, cache_write) = (Some(usd(cached_input)), Some(usd(cache_write)));
        PriceSettings { input: usd(input), cached_input, cache_write, output: usd(output) }.into()
    }

    /// Input, read from a cache, written to it, output, reasoning; as each provider's decoder normalises them.
    fn usage(counts: [Option<u64>; 5]) -> Usage {
        let [input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_tokens] = counts;
        Usage {
            input_tokens,
            cache_read_input_tokens,
            cache_write_input_tokens,
            output_tokens,
            reasoning_tokens,
            cost_nano_usd: None,
        }
    }

    #[test]
    fn a_call_costs_each_token_once() {
        let openai = price("0.25 USD", "0.025 USD", "0.25 USD", "2 USD");
        let anthropic = price("1 USD", "0.1 USD", "1.25 USD", "5 USD");
        let gemini = price("0.3 USD", "0.03 USD", "0.3 USD", "2.5 USD");
        let n = Some;
        for (provider, price, counts, nano) in [
            ("openai", openai, [n(1_000), None, None, n(100), None], 450_000),
            ("openai, cached", openai, [n(1_000), n(800), None, n(100), n(64)], 270_000),
            ("anthropic", anthropic, [n(1_000), n(0), n(0), n(100), None], 1_500_000),
            ("anthropic, written", anthropic, [n(3_000), n(1_000), n(1_500), n(100), None], 2_975_000),
            ("gemini, thinking", gemini, [n(1_000), n(400), None, n(300), n(250)], 942_000),
            ("ollama", Price::FREE, [n(1_000), None, None, n(100), None], 0),
            ("ollama, silent", Price::FREE, [None; 5], 0),
            ("more cached than there is", openai, [n(10), n(99), n(99), n(0), None], 250),
        ] {
            assert_eq!(price.cost(&usage(counts)), Some(Usd::nano(nano)), "{provider}");
        }
    }

    #[test]
    fn the_cost_of_tokens_that_were_not_told_is_not_known() {
        let price = price("1 USD", "1 USD", "1 USD", "1 USD");
        assert_eq!(price.cost(&usage([Some(1), None, None, None, None])), None);
        assert_eq!(price.cost(&usage([None, None, None, Some(1), None])), None);
    }

    #[test]
    fn a_part_of_a_billionth_is_a_whole_one() {
        let price = price("0.0000005 USD", "0 USD", "0 USD", "0 USD");
        assert_eq!(price.cost(&usage([Some(1), None, None, Some(0), None])), Some(Usd::nano(1)));
        let most = usage([Some(u64::MAX), None, None, Some(u64::MAX), None]);
        let dear =
            PriceSettings { input: Usd::nano(u64::MAX), cached_input: None, cache_write: None, output: usd("1 USD") };
        assert_eq!(Price::from(dear).cost(&most), Some(Usd::nano(u64::MAX)), "and no sum overflows");
    }

    #[test]
    fn a_long_request_has_its_own_price_for_all_of_it() {
        let long = price("2 USD", "2 USD", "2 USD", "4 USD").rates;
        let price = Price { long: Some((1_000, long)), ..price("1 USD", "1 USD", "1 USD", "2 USD") };
        let cost = |input| price.cost(&usage([Some(input), None, None, Some(1_000), None]));
        assert_eq!((cost(1_000), cost(1_001)), (Some(Usd::nano(3_000_000)), Some(Usd::nano(6_002_000))));
        assert_eq!(price.most(400, 0), Usd::nano(400_000));
        assert_eq!(price.most(600, 0), Usd::nano(1_200_000), "an estimate near the bound takes the dearer price");
    }

    #[test]
    fn the_most_is_never_below_the_cost() {
        let price = price("1 USD", "0.1 USD", "1.25 USD", "5 USD");
        for (read, written) in [(0, 0), (1_000, 0), (0, 1_000), (300, 300)] {
            let usage = usage([Some(1_000), Some(read), Some(written), Some(50), None]);
            assert!(price.most(1_000, 50) >= price.cost(&usage).unwrap(), "{read} {written}");
        }
    }
}
