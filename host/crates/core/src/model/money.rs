//! Money: whole billionths of a US dollar, so that sums are exact.

use std::fmt;
use std::str::FromStr;

/// Billionths in one.
const NANO: u64 = 1_000_000_000;
/// Digits behind the point, at most.
const DIGITS: usize = 9;

/// An amount of US dollars, to the billionth. Written as "0.05 USD".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(u64);

/// The text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("amounts look like \"0.05 USD\" or \"20 USD\", with at most nine digits behind the point")]
pub struct NoAmount;

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This many billionths.
    #[must_use]
    pub const fn nano(nano: u64) -> Self {
        Self(nano)
    }

    /// The number of billionths.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or the largest amount there is.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The number alone, without its unit: "0.05".
    #[must_use]
    pub fn number(self) -> String {
        let (whole, rest) = (self.0 / NANO, self.0 % NANO);
        match rest {
            0 => whole.to_string(),
            rest => format!("{whole}.{rest:09}").trim_end_matches('0').to_owned(),
        }
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.number())
    }
}

impl FromStr for Usd {
    type Err = NoAmount;

    /// A decimal number and the unit, with one space between them.
    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let number = text.strip_suffix(" USD").ok_or(NoAmount)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > DIGITS {
            return Err(NoAmount);
        }
        let whole: u64 = whole.parse().map_err(|_| NoAmount)?;
        let rest: u64 = format!("{rest:0<9}").parse().map_err(|_| NoAmount)?;
        whole.checked_mul(NANO).and_then(|whole| whole.checked_add(rest)).map(Self).ok_or(NoAmount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_and_shown_to_the_billionth() {
        for (text, nano, shown) in [
            ("20 USD", 20_000_000_000, "20 USD"),
            ("0.05 USD", 50_000_000, "0.05 USD"),
            ("0.000000001 USD", 1, "0.000000001 USD"),
            ("1.50 USD", 1_500_000_000, "1.5 USD"),
            ("0 USD", 0, "0 USD"),
            ("18446744073.709551615 USD", u64::MAX, "18446744073.709551615 USD"),
        ] {
            let amount: Usd = text.parse().unwrap();
            assert_eq!((amount.get(), amount.to_string().as_str()), (nano, shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for text in [
            "",
            "USD",
            " USD",
            "5",
            "5USD",
            "5  USD",
            "5 usd",
            "$5",
            "5 EUR",
            ".5 USD",
            "5. USD",
            "-1 USD",
            "+1 USD",
            "1e3 USD",
            "1,000 USD",
            "0.0000000001 USD",
            "18446744073.709551616 USD",
            "99999999999999999999 USD",
        ] {
            assert_eq!(text.parse::<Usd>(), Err(NoAmount), "{text:?}");
        }
    }
}
