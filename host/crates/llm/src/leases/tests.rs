//! Slices of limits that are counted together.

use std::num::NonZeroU64;

use gristmill_core::model::meter::{Meter, Taken};

use super::*;
use Dimension::{RequestsPerDay, RequestsPerMinute, TokensPerMinute};

const ONE: Load = Load { requests: 1.0, input: 100.0, cached: 0.0, output: 20.0 };
const SOON: Duration = Duration::from_secs(30);
const TODAY: Day = Day(7);

fn limits(requests: u64, tokens: u64, requests_a_day: u64) -> LimitSettings {
    LimitSettings {
        requests_per_minute: NonZeroU64::new(requests),
        tokens_per_minute: NonZeroU64::new(tokens),
        requests_per_day: NonZeroU64::new(requests_a_day),
        ..LimitSettings::default()
    }
}

fn leases(limits: LimitSettings, now: Instant) -> Leases {
    let mut leases = Leases::default();
    leases.set([limits].iter(), now);
    leases
}

fn asked(leases: &mut Leases, load: Load, now: Instant) -> Ask {
    match leases.next(load, SOON, TODAY, now) {
        Next::Asks(ask) => ask,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_slice_is_used_until_it_is_over_and_what_is_left_is_given_back() {
    let now = Instant::now();
    let mut leases = leases(limits(60_000, 0, 0), now);
    let ask = asked(&mut leases, ONE, now);
    assert_eq!((ask.dimension, ask.day, ask.unused), (RequestsPerMinute, None, 0));
    assert_eq!(ask.bound, Bound { most: 300_000, per_minute: 59_100_000 });
    assert_eq!((ask.want.least, ask.want.within), (19_700, SOON), "as many as come in 20 ms");
    leases.granted(&ask, 3_000, Duration::ZERO, now);
    for _ in 0..3 {
        assert_eq!(leases.next(ONE, SOON, TODAY, now), Next::Fits);
        leases.take(ONE);
    }
    let ask = asked(&mut leases, ONE, now);
    leases.granted(&ask, 10_000, Duration::ZERO, now);
    leases.take(ONE);
    let later = now + GOOD_FOR;
    let ask = asked(&mut leases, ONE, later);
    assert_eq!(ask.unused, 9_000);
    leases.granted(&ask, 1_000, Duration::ZERO, later);
    assert_eq!(asked(&mut leases, Load { requests: 2.0, ..ONE }, later).unused, 0, "once");
}

#[test]
fn what_is_granted_for_later_waits() {
    let now = Instant::now();
    let mut leases = leases(limits(60, 0, 0), now);
    let ask = asked(&mut leases, ONE, now);
    leases.granted(&ask, 1_000, SOON / 10, now);
    assert_eq!(leases.next(ONE, SOON, TODAY, now), Next::Waits((RequestsPerMinute, SOON / 10)));
    assert_eq!(leases.next(ONE, SOON, TODAY, now + SOON / 10), Next::Fits);
}

#[test]
fn a_host_that_uses_slices_up_takes_larger_ones_and_one_that_does_not_smaller_ones() {
    let mut now = Instant::now();
    let mut leases = leases(limits(60_000, 0, 0), now);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let ask = asked(&mut leases, ONE, now);
        sizes.push(ask.want.most / 1_000);
        leases.granted(&ask, ask.want.most, Duration::ZERO, now);
        while leases.next(ONE, SOON, TODAY, now) == Next::Fits {
            leases.take(ONE);
        }
    }
    assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]) && sizes[3] > 2 * sizes[0], "{sizes:?}");
    now += GOOD_FOR;
    let ask = asked(&mut leases, ONE, now);
    leases.granted(&ask, ask.want.most, Duration::ZERO, now);
    leases.take(ONE);
    now += GOOD_FOR;
    let ask = asked(&mut leases, ONE, now);
    assert_eq!(ask.want.most, ask.want.least, "no more than it used");
}

#[test]
fn a_request_above_what_may_be_used_at_a_time_takes_the_rest_when_it_has_its_turn() {
    let now = Instant::now();
    let mut leases = leases(limits(0, 12_000, 0), now);
    let large = Load { input: 5_000.0, ..ONE };
    let ask = asked(&mut leases, large, now);
    assert_eq!((ask.dimension, ask.want.least, ask.beyond), (TokensPerMinute, 60_000, 4_960_000));
    leases.granted(&ask, ask.want.least, Duration::ZERO, now);
    assert_eq!(leases.next(large, SOON, TODAY, now), Next::Fits);
}

#[test]
fn what_a_call_did_not_take_is_there_for_the_next_one_and_what_it_took_besides_is_owed() {
    let now = Instant::now();
    let mut leases = leases(limits(0, 1_000_000, 0), now);
    let ask = asked(&mut leases, ONE, now);
    leases.granted(&ask, 120_000, Duration::ZERO, now);
    leases.take(ONE);
    leases.settle(ONE, Load { output: 0.0, ..ONE });
    let small = Load { input: 20.0, output: 0.0, ..ONE };
    assert_eq!(leases.next(small, SOON, TODAY, now), Next::Fits);
    leases.settle(ONE, Load { output: 1_020.0, ..ONE });
    let ask = asked(&mut leases, small, now);
    assert_eq!(ask.want.least + ask.beyond.unsigned_abs(), 1_000_000, "20 for itself, and 980 of the last one");
}

#[test]
fn a_limit_of_a_day_ends_with_it() {
    let now = Instant::now();
    let mut leases = leases(limits(0, 0, 5), now);
    let ask = asked(&mut leases, ONE, now);
    assert_eq!((ask.dimension, ask.day), (RequestsPerDay, Some(TODAY)));
    assert_eq!((ask.bound, ask.want.least), (Bound { most: 5_000, per_minute: 0 }, 1_000));
    leases.granted(&ask, 5_000, Duration::ZERO, now);
    leases.take(ONE);
    let Next::Asks(ask) = leases.next(ONE, SOON, TODAY.next(), now) else { panic!("yesterday's is over") };
    assert_eq!((ask.day, ask.unused), (Some(TODAY.next()), 0));
    leases.granted(&Ask { day: Some(TODAY), ..ask }, 1_000, Duration::ZERO, now);
    let next = leases.next(ONE, SOON, TODAY.next(), now);
    assert!(matches!(next, Next::Asks(_)), "what came too late is not today's: {next:?}");
}

#[test]
fn what_the_provider_says_is_told_to_the_others() {
    let now = Instant::now();
    let mut leases = leases(limits(600, 0, 100), now);
    for _ in 0..2 {
        let ask = asked(&mut leases, ONE, now);
        leases.granted(&ask, 1_000, Duration::ZERO, now);
    }
    assert_eq!(leases.next(ONE, SOON, TODAY, now), Next::Fits);
    leases.lower(&[(RequestsPerMinute, 400), (RequestsPerDay, 30)]);
    let two = Load { requests: 2.0, ..ONE };
    let ask = asked(&mut leases, two, now);
    assert_eq!((ask.dimension, ask.used), (RequestsPerMinute, None), "more than may be used at a time is no news");
    leases.granted(&ask, 1_000, Duration::ZERO, now);
    let ask = asked(&mut leases, two, now);
    assert_eq!((ask.dimension, ask.used), (RequestsPerDay, Some(70_000)));
    leases.granted(&ask, 1_000, Duration::ZERO, now);
    let ask = asked(&mut leases, Load { requests: 3.0, ..ONE }, now);
    assert_eq!(ask.used, None, "once");
}

#[test]
fn limits_of_this_host_alone_are_not_counted_together() {
    let now = Instant::now();
    let host = LimitSettings { share: Sharing::Host, ..limits(6, 0, 0) };
    let mut leases = leases(host, now);
    assert_eq!(leases.next(ONE, SOON, TODAY, now), Next::Fits);
    leases.set([host, limits(60, 0, 0), limits(90, 0, 0)].iter(), now);
    assert_eq!(asked(&mut leases, ONE, now).bound.per_minute, 59_100);
    leases.set([host].iter(), now);
    assert_eq!(leases.next(ONE, SOON, TODAY, now), Next::Fits);
}

/// The bound that the constants are chosen for: hosts hold their slices for as long as they may, all use them at once, and
/// from then on as soon as they come.
#[test]
fn no_minute_holds_more_than_the_limit_however_hosts_use_their_slices() {
    let begun = Instant::now();
    let (limit, mut meter) = (6_000_u64, Meter::default());
    let mut hosts: Vec<Leases> = (0..8).map(|_| leases(limits(limit, 0, 0), begun)).collect();
    let mut used = Vec::new();
    for step in 0..3 * 600_u64 {
        let now = begun + Duration::from_millis(100 * step);
        let holds = step < 900 && step % 40 != 39;
        for leases in &mut hosts {
            loop {
                match leases.next(ONE, Duration::ZERO, TODAY, now) {
                    Next::Fits if holds => break,
                    Next::Fits => {
                        leases.take(ONE);
                        used.push(now);
                    }
                    Next::Waits(_) => break,
                    Next::Asks(ask) => {
                        meter.settle(ask.bound, -ask.unused, now - begun);
                        match meter.take(ask.bound, ask.want, now - begun) {
                            Taken::Granted { amount, after } => leases.granted(&ask, amount, after, now),
                            Taken::Short { .. } => break,
                        }
                    }
                }
            }
        }
    }
    let minute = Duration::from_secs(60);
    let within = |from: usize| used[from..].partition_point(|at| *at < used[from] + minute);
    let most = (0..used.len()).map(within).max().unwrap_or_default() as f64;
    assert!(most <= limit as f64, "{most} in one minute");
    assert!(most > 0.98 * limit as f64, "only {most} in the best minute");
}
