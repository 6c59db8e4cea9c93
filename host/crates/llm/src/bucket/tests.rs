//! Tables and properties of limits over made-up time.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn requests_are_spread_evenly_from_the_first_on() {
    let now = Instant::now();
    let mut bucket = Bucket::new(60.0, now);
    bucket.take(1.0, now);
    let wait = bucket.wait(1.0, now).as_secs_f64();
    assert!((1.0..1.02).contains(&wait), "{wait}");
    assert_eq!(bucket.wait(1.0, now + 2 * SECOND), Duration::ZERO);
}

#[test]
fn what_needs_more_than_the_bucket_holds_gets_through_and_is_paid_for_by_those_behind_it() {
    let now = Instant::now();
    let mut bucket = Bucket::new(6_000.0, now);
    assert_eq!(bucket.wait(2_000.0, now), Duration::ZERO);
    bucket.take(2_000.0, now);
    let wait = bucket.wait(10.0, now).as_secs_f64();
    assert!((19.0..20.0).contains(&wait), "{wait}: 1,950 tokens at 99 a second");
    bucket.give_back(1_500.0, now);
    assert!(bucket.wait(10.0, now) < 5 * SECOND, "it took less than was expected");
    bucket.give_back(-500.0, now);
    assert!(bucket.wait(10.0, now) > 9 * SECOND, "it took more");
}

#[test]
fn what_a_provider_says_lowers_the_bucket_and_never_raises_it() {
    let now = Instant::now();
    let mut bucket = Bucket::new(6_000.0, now);
    bucket.lower(1_000_000.0, now);
    assert!((bucket.level - 60.0).abs() < 1e-6);
    bucket.lower(0.0, now);
    assert!(bucket.wait(50.0, now) > Duration::ZERO);
}

#[test]
fn a_lower_limit_counts_at_once_and_none_at_all_lets_nobody_through() {
    let now = Instant::now();
    let mut bucket = Bucket::new(60.0, now);
    bucket.take(1.0, now);
    bucket.set(6.0, now);
    assert!(bucket.wait(1.0, now) > 9 * SECOND);
    bucket.set(0.0, now);
    assert_eq!(bucket.wait(1.0, now + 100 * SECOND), Duration::MAX);
}

#[test]
fn a_day_is_used_up_and_begins_again_24_hours_after_its_first_call() {
    let now = Instant::now();
    let mut day = Allowance::new(3.0);
    for _ in 0..3 {
        assert_eq!(day.wait(1.0, now), Duration::ZERO);
        day.take(1.0, now);
    }
    let later = now + 3_600 * SECOND;
    assert_eq!(day.wait(1.0, later), 23 * 3_600 * SECOND);
    day.give_back(1.0);
    assert_eq!(day.wait(1.0, later), Duration::ZERO);
    day.lower(0.0, later);
    assert!(day.wait(1.0, later) > Duration::ZERO);
    assert_eq!(day.wait(1.0, now + DAY), Duration::ZERO);
    day.take(9.0, now + DAY);
    assert_eq!(day.wait(1.0, now + 2 * DAY), Duration::ZERO);
    assert_eq!(Allowance::new(0.0).wait(1.0, now), DAY, "this host has no part of it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever counts, and from whenever on: no minute holds more than the limit, and none that is asked for all the time
    /// holds less than 98% of it.
    #[test]
    fn no_minute_holds_more_than_the_limit_and_little_less(
        limit in 200.0..100_000.0_f64,
        sizes in prop::collection::vec(0.002..0.01_f64, 50),
        idle in 0_u32..100,
    ) {
        let begun = Instant::now();
        let mut now = begun + idle * SECOND;
        let mut bucket = Bucket::new(limit, begun);
        let mut sent: Vec<(Instant, f64)> = Vec::new();
        for size in sizes.iter().cycle() {
            let amount = (size * limit).max(1.0);
            now += bucket.wait(amount, now);
            if now > begun + (idle + 180) * SECOND {
                break;
            }
            bucket.take(amount, now);
            sent.push((now, amount));
        }
        for (from, _) in &sent {
            let within = sent.iter().filter(|(at, _)| (*from..*from + 60 * SECOND).contains(at));
            let sum: f64 = within.map(|(_, amount)| amount).sum();
            prop_assert!(sum <= limit * (1.0 + 1e-6), "{sum} of {limit}");
            let whole = *from + 60 * SECOND <= now;
            prop_assert!(!whole || sum >= 0.98 * limit - 1.0, "{sum} of {limit}");
        }
    }

    /// Whatever is reserved, it is what calls took in the end that counts.
    #[test]
    fn a_wrong_estimate_does_not_change_the_rate(
        estimate in 0.2..5.0_f64,
        sizes in prop::collection::vec(0.0005..0.01_f64, 50),
    ) {
        const LIMIT: f64 = 60_000.0;
        let begun = Instant::now();
        let mut now = begun;
        let mut bucket = Bucket::new(LIMIT, now);
        let (mut in_flight, mut taken) = (std::collections::VecDeque::<(Instant, f64)>::new(), 0.0);
        for size in sizes.iter().cycle() {
            let amount = size * LIMIT;
            loop {
                while in_flight.front().is_some_and(|(end, _)| *end <= now) {
                    bucket.give_back(in_flight.pop_front().map_or(0.0, |(_, excess)| excess), now);
                }
                let wait = bucket.wait(amount * estimate, now);
                if wait.is_zero() {
                    break;
                }
                let next = in_flight.front().map_or(wait, |(end, _)| (*end - now).min(wait));
                now += next.max(Duration::from_millis(1));
            }
            if now > begun + 600 * SECOND {
                break;
            }
            bucket.take(amount * estimate, now);
            in_flight.push_back((now + 2 * SECOND, amount * (estimate - 1.0)));
            taken += amount;
        }
        let minutes = (now - begun).as_secs_f64() / 60.0;
        let rate = taken / minutes / LIMIT;
        prop_assert!((0.97..1.03).contains(&rate), "{rate}");
    }
}
