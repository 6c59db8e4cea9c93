//! What calls of models took: tokens and money, by job and by day.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Timestamp, Usage, Usd};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A day in UTC: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(pub u32);

impl Day {
    /// The day of a moment. Before 1970 it is the first one.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(u32::try_from(time.0.div_euclid(DAY_MS)).unwrap_or(0))
    }

    /// How long each lasts.
    pub const LENGTH: Duration = Duration::from_millis(DAY_MS.unsigned_abs());

    /// How much of its day has passed at a moment.
    #[must_use]
    pub fn passed(time: Timestamp) -> Duration {
        Duration::from_millis(time.0.rem_euclid(DAY_MS).unsigned_abs())
    }

    /// The day after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Day {
    /// As "2026-11-27".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is their last.
        let days = u64::from(self.0) + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What some calls took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// How many calls there were.
    pub calls: u64,
    /// All tokens of their input, as far as they were told; so below.
    pub input_tokens: u64,
    /// The part of it that was read from a cache of the provider.
    pub cache_read_input_tokens: u64,
    /// All tokens of their output.
    pub output_tokens: u64,
    /// What they cost, as far as that is known.
    pub cost: Usd,
    /// How many of the calls cost something that nobody knows.
    pub unpriced: u64,
}

impl Spent {
    /// What one answered call took.
    #[must_use]
    pub fn of(usage: &Usage) -> Self {
        Self {
            calls: 1,
            input_tokens: usage.input_tokens.unwrap_or(0),
            cache_read_input_tokens: usage.cache_read_input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
            cost: Usd::nano(usage.cost_nano_usd.unwrap_or(0)),
            unpriced: u64::from(usage.cost_nano_usd.is_none()),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cache_read_input_tokens: self.cache_read_input_tokens.saturating_add(other.cache_read_input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost: self.cost.plus(other.cost),
            unpriced: self.unpriced.saturating_add(other.unpriced),
        }
    }
}

/// On what it was spent. The pipeline is that of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpentOn {
    /// The day on which the call began.
    pub day: Day,
    /// The stage that called.
    pub stage: Arc<str>,
    /// The alias that it asked.
    pub alias: Arc<str>,
    /// The target that answered, as "provider/model"; "-" if none did although the call may have been paid for.
    pub target: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_of_utc_and_shown_as_a_date() {
        for (milliseconds, day, shown) in [
            (0, 0, "1970-01-01"),
            (-1, 0, "1970-01-01"),
            (DAY_MS - 1, 0, "1970-01-01"),
            (DAY_MS, 1, "1970-01-02"),
            (951_782_400_000, 11_016, "2000-02-29"),
            (1_709_164_800_000, 19_782, "2024-02-29"),
            (1_795_737_600_000, 20_784, "2026-11-27"),
            (4_107_542_400_000, 47_541, "2100-03-01"),
        ] {
            let of = Day::of(Timestamp(milliseconds));
            assert_eq!((of.0, of.to_string().as_str()), (day, shown), "{milliseconds}");
        }
        let evening = Timestamp(2 * DAY_MS - 60_000);
        assert_eq!(Day::LENGTH - Day::passed(evening), Duration::from_secs(60));
        assert_eq!(Day(19_722).to_string(), "2023-12-31");
        assert_eq!(Day(19_722).next().to_string(), "2024-01-01");
    }

    #[test]
    fn a_cost_that_nobody_knows_is_counted_as_such() {
        let priced = Usage { input_tokens: Some(7), cost_nano_usd: Some(5), ..Usage::default() };
        let sum = Spent::of(&priced).plus(Spent::of(&Usage { output_tokens: Some(2), ..Usage::default() }));
        let expected =
            Spent { calls: 2, input_tokens: 7, output_tokens: 2, cost: Usd::nano(5), unpriced: 1, ..Spent::default() };
        assert_eq!(sum, expected);
    }
}
