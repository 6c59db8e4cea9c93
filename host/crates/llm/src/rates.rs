//! All declared limits of an endpoint, each kept on its own. Pure: time is passed in.

use std::time::Duration;

use gristmill_core::model::Portion;
use tokio::time::Instant;

use crate::bucket::{Allowance, Bucket};
use crate::load::Load;
use crate::settings::{LimitSettings, Sharing};

/// What a limit counts, and over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dimension {
    RequestsPerMinute,
    TokensPerMinute,
    InputTokensPerMinute,
    OutputTokensPerMinute,
    RequestsPerDay,
    TokensPerDay,
}

use Dimension::{
    InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, RequestsPerMinute, TokensPerDay, TokensPerMinute,
};

impl Dimension {
    /// All there are.
    pub(crate) const ALL: [Self; 6] =
        [RequestsPerMinute, TokensPerMinute, InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, TokensPerDay];

    /// Whether it is that of a day.
    pub(crate) fn is_of_a_day(self) -> bool {
        matches!(self, RequestsPerDay | TokensPerDay)
    }

    /// The key that sets its limit.
    pub(crate) fn key(self) -> &'static str {
        match self {
            RequestsPerMinute => "requests_per_minute",
            TokensPerMinute => "tokens_per_minute",
            InputTokensPerMinute => "input_tokens_per_minute",
            OutputTokensPerMinute => "output_tokens_per_minute",
            RequestsPerDay => "requests_per_day",
            TokensPerDay => "tokens_per_day",
        }
    }

    /// The limit that is declared for it.
    pub(crate) fn set_by(self, limits: &LimitSettings) -> Option<f64> {
        let limit = match self {
            RequestsPerMinute => limits.requests_per_minute,
            TokensPerMinute => limits.tokens_per_minute,
            InputTokensPerMinute => limits.input_tokens_per_minute,
            OutputTokensPerMinute => limits.output_tokens_per_minute,
            RequestsPerDay => limits.requests_per_day,
            TokensPerDay => limits.tokens_per_day,
        };
        limit.map(|limit| limit.get() as f64)
    }

    /// How much of it a load takes.
    pub(crate) fn of(self, load: Load) -> f64 {
        match self {
            RequestsPerMinute | RequestsPerDay => load.requests,
            TokensPerMinute | TokensPerDay => load.input + load.output,
            InputTokensPerMinute => (load.input - load.cached).max(0.0),
            OutputTokensPerMinute => load.output,
        }
    }
}

/// One target of an endpoint: what it declares, and how much of the group's work its pipeline does here. `None` if nobody
/// has said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) limits: LimitSettings,
    pub(crate) portion: Option<Portion>,
}

/// What is left of each declared limit.
#[derive(Debug, Default)]
pub(crate) struct Rates(Vec<(Dimension, Meter)>);

#[derive(Debug)]
enum Meter {
    Minute(Bucket),
    Day(Allowance),
}

impl Rates {
    /// Takes the limits of these targets: of several for one thing, the lowest. This host's part is the mean of what its
    /// pipelines do of their groups' work: so the parts of all hosts are one limit together, however many pipelines there
    /// are.
    pub(crate) fn set<'s>(&mut self, seats: impl Iterator<Item = &'s Seat> + Clone, now: Instant) {
        let told = || seats.clone().filter_map(|seat| seat.portion);
        let part = match told().count() {
            0 => 1.0,
            count => told().map(Portion::fraction).sum::<f64>() / count as f64,
        };
        for dimension in Dimension::ALL {
            let limits = seats.clone().filter_map(|seat| {
                let part = if seat.limits.share == Sharing::Host { 1.0 } else { part };
                Some(dimension.set_by(&seat.limits)? * part)
            });
            self.change(dimension, limits.reduce(f64::min), now);
        }
    }

    fn change(&mut self, dimension: Dimension, limit: Option<f64>, now: Instant) {
        let Some(limit) = limit else { return self.0.retain(|(known, _)| *known != dimension) };
        match self.0.iter_mut().find(|(known, _)| *known == dimension) {
            Some((_, Meter::Minute(bucket))) => bucket.set(limit, now),
            Some((_, Meter::Day(allowance))) => allowance.set(limit),
            None => {
                let meter = match dimension.is_of_a_day() {
                    true => Meter::Day(Allowance::new(limit)),
                    false => Meter::Minute(Bucket::new(limit, now)),
                };
                self.0.push((dimension, meter));
            }
        }
    }

    /// The limit that this load has to wait for longest, and how long. `None` if it fits now.
    pub(crate) fn wait(&mut self, load: Load, now: Instant) -> Option<(Dimension, Duration)> {
        let waits = self.0.iter_mut().map(|(dimension, meter)| {
            let need = dimension.of(load);
            (
                *dimension,
                match meter {
                    Meter::Minute(bucket) => bucket.wait(need, now),
                    Meter::Day(allowance) => allowance.wait(need, now),
                },
            )
        });
        waits.filter(|(_, wait)| !wait.is_zero()).max_by_key(|(_, wait)| *wait)
    }

    /// Each limit by its key: this host's part, and what may be taken of it at once.
    pub(crate) fn left(&mut self, now: Instant) -> Vec<(&'static str, f64, f64)> {
        let left = |(dimension, meter): &mut (Dimension, Meter)| {
            let (limit, left) = match meter {
                Meter::Minute(bucket) => bucket.left(now),
                Meter::Day(allowance) => allowance.left(now),
            };
            (dimension.key(), limit, left)
        };
        self.0.iter_mut().map(left).collect()
    }

    pub(crate) fn take(&mut self, load: Load, now: Instant) {
        for (dimension, meter) in &mut self.0 {
            let amount = dimension.of(load);
            match meter {
                Meter::Minute(bucket) => bucket.take(amount, now),
                Meter::Day(allowance) => allowance.take(amount, now),
            }
        }
    }

    /// A call took `used` for which `taken` was taken.
    pub(crate) fn settle(&mut self, taken: Load, used: Load, now: Instant) {
        for (dimension, meter) in &mut self.0 {
            let excess = dimension.of(taken) - dimension.of(used);
            match meter {
                Meter::Minute(bucket) => bucket.give_back(excess, now),
                Meter::Day(allowance) => allowance.give_back(excess),
            }
        }
    }

    /// At least this was used before this process, in a day that began then.
    pub(crate) fn raise(&mut self, earlier: Load, begun: Instant, now: Instant) {
        for (dimension, meter) in &mut self.0 {
            if let Meter::Day(allowance) = meter {
                allowance.raise(dimension.of(earlier), begun, now);
            }
        }
    }

    /// No more than this is left, as the provider says.
    pub(crate) fn lower(&mut self, room: &[(Dimension, u64)], now: Instant) {
        for (dimension, meter) in &mut self.0 {
            for (_, left) in room.iter().filter(|(said, _)| said == dimension) {
                match meter {
                    Meter::Minute(bucket) => bucket.lower(*left as f64, now),
                    Meter::Day(allowance) => allowance.lower(*left as f64, now),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    fn limits(requests: u64, tokens: u64) -> LimitSettings {
        let (requests_per_minute, tokens_per_minute) = (NonZeroU64::new(requests), NonZeroU64::new(tokens));
        LimitSettings { requests_per_minute, tokens_per_minute, ..LimitSettings::default() }
    }

    fn seat(limits: LimitSettings, owned: usize) -> Seat {
        Seat { limits, portion: Some(Portion::new(owned, 6)) }
    }

    const ONE: Load = Load { requests: 1.0, input: 100.0, cached: 0.0, output: 20.0 };

    /// How long the second of two equal calls waits.
    fn second(seats: &[Seat], load: Load) -> Option<(Dimension, u64)> {
        let now = Instant::now();
        let mut rates = Rates::default();
        rates.set(seats.iter(), now);
        rates.take(load, now);
        rates.wait(load, now).map(|(dimension, wait)| (dimension, wait.as_secs()))
    }

    #[test]
    fn each_limit_is_kept_on_its_own_and_the_longest_wait_counts() {
        assert_eq!(second(&[seat(limits(0, 0), 6)], ONE), None, "no limit");
        assert_eq!(second(&[seat(limits(6, 0), 6)], ONE), Some((RequestsPerMinute, 10)));
        assert_eq!(second(&[seat(limits(6, 600), 6)], ONE), Some((TokensPerMinute, 12)));
        let output = NonZeroU64::new(60);
        let output = LimitSettings { output_tokens_per_minute: output, ..limits(6, 0) };
        assert_eq!(second(&[seat(output, 6)], ONE), Some((OutputTokensPerMinute, 20)));
    }

    #[test]
    fn tokens_from_a_cache_count_against_the_limit_of_all_and_not_against_that_of_the_input() {
        let cached = Load { cached: 90.0, ..ONE };
        assert_eq!((TokensPerMinute.of(cached), InputTokensPerMinute.of(cached)), (120.0, 10.0));
    }

    #[test]
    fn the_lowest_limit_counts_times_the_mean_of_what_pipelines_do_here() {
        let (low, high) = (limits(6, 0), limits(60, 0));
        let host = LimitSettings { share: Sharing::Host, ..low };
        let unknown = Seat { limits: low, portion: None };
        for (seats, expected) in [
            (&[seat(low, 6), seat(high, 6)][..], 10),
            (&[seat(low, 3)], 20),
            (&[seat(low, 6), seat(high, 0)], 20),
            (&[seat(host, 3)], 10),
            (&[unknown], 10),
            (&[unknown, seat(high, 3)], 20),
        ] {
            assert_eq!(second(seats, ONE), Some((RequestsPerMinute, expected)), "{seats:?}");
        }
    }

    #[test]
    fn what_was_used_of_a_day_before_this_process_counts_until_that_day_is_over() {
        let (hour, begun) = (Duration::from_secs(60 * 60), Instant::now());
        let now = begun + 22 * hour;
        let requests_per_day = NonZeroU64::new(10);
        let mut rates = Rates::default();
        rates.set([seat(LimitSettings { requests_per_day, ..limits(0, 0) }, 6)].iter(), now);
        let earlier = Load { requests: 9.0, ..Load::default() };
        for _ in 0..2 {
            rates.raise(earlier, begun, now);
        }
        assert_eq!(rates.wait(ONE, now), None, "the same word again changes nothing");
        rates.take(ONE, now);
        assert_eq!(rates.wait(ONE, now), Some((RequestsPerDay, 2 * hour)));
        assert_eq!(rates.wait(ONE, now + 2 * hour), None);
    }

    #[test]
    fn a_limit_that_is_not_declared_any_more_is_none() {
        let now = Instant::now();
        let mut rates = Rates::default();
        rates.set([seat(limits(6, 60), 6)].iter(), now);
        rates.take(ONE, now);
        rates.set([seat(limits(6, 0), 6)].iter(), now);
        assert_eq!(rates.wait(ONE, now).map(|(dimension, _)| dimension), Some(RequestsPerMinute), "taken stays taken");
        rates.lower(&[(TokensPerMinute, 0)], now);
        rates.settle(ONE, Load::default(), now);
        assert_eq!(rates.wait(ONE, now), None);
    }
}
