//! Pauses and probes, by table and over made-up time.

use super::*;
use crate::fixtures::job;

const SECOND: Duration = Duration::from_secs(1);

fn who(number: u128) -> Requester {
    Requester { job: job(number), stage: "s".into(), item: "a".into() }
}

fn limited(seconds: Option<u64>) -> ChatFailure {
    ChatFailure::RateLimited { message: "slow down".into(), after: seconds.map(Duration::from_secs) }
}

fn away() -> ChatFailure {
    ChatFailure::Unavailable { message: "503".into(), after: None }
}

fn no_money() -> ChatFailure {
    ChatFailure::BudgetExhausted { scope: BudgetScope::Account, message: "the quota PerDay is used up".into() }
}

fn slow() -> ChatFailure {
    ChatFailure::Timeout("slow".into())
}

/// How many seconds it turns calls away, at most 1,000.
fn closed(standing: &Standing, who: &Requester, now: Instant) -> u32 {
    (0..1_000).find(|second| standing.turned_away(who, now + *second * SECOND).is_none()).unwrap_or(1_000)
}

#[test]
fn whether_it_is_asked_can_be_looked_at() {
    let now = Instant::now();
    let mut standing = Standing::default();
    assert_eq!(standing.asked(now), Asked::Open);
    for number in 0..3 {
        standing.failed(&who(number), now, (&away(), Some(Blame::Dependency)), now);
    }
    assert_eq!(standing.asked(now + SECOND), Asked::Away(PROBE - SECOND));
    standing.failed(&who(4), now, (&limited(Some(7)), Some(Blame::Limit)), now);
    assert_eq!(standing.asked(now), Asked::Limited(7 * SECOND));
    assert_eq!(Standing::default().asked(now), Asked::Open);
}

#[test]
fn each_rate_limit_pauses_for_its_own_time() {
    let now = Instant::now();
    // Each failure: when its call began and when it came, and what it asked for, in seconds; then the pause from that on.
    for (failures, expected) in [
        (&[(0, 0, Some(7))][..], 7),
        (&[(0, 0, Some(7)), (0, 1, Some(2))], 6),
        (&[(0, 0, Some(2)), (0, 1, Some(7))], 7),
        (&[(0, 0, None)], 1),
        (&[(0, 0, Some(0))], 1),
        // Those that were under way together are one.
        (&[(0, 0, None), (0, 0, None), (0, 0, None)], 1),
        (&[(0, 0, None), (2, 2, None), (5, 5, None)], 4),
        (&[(0, 0, None), (2, 2, None), (5, 5, Some(1)), (7, 7, None)], 4),
        (&[(0, 0, Some(9)), (0, 1, None)], 8),
    ] {
        let mut standing = Standing::default();
        let mut last = 0;
        for (began, at, after) in failures {
            let (began, at) = (now + *began * SECOND, now + *at * SECOND);
            standing.failed(&who(1), began, (&limited(*after), Some(Blame::Limit)), at);
            last = u32::try_from((at - now).as_secs()).unwrap();
        }
        assert_eq!(closed(&standing, &who(2), now + last * SECOND), expected, "{failures:?}");
    }
}

#[test]
fn pauses_without_a_hint_grow_to_a_minute_until_somebody_is_answered() {
    let mut now = Instant::now();
    let mut standing = Standing::default();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        now += 100 * SECOND;
        standing.failed(&who(1), now, (&limited(None), Some(Blame::Limit)), now);
        pauses.push(closed(&standing, &who(1), now));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    now += 100 * SECOND;
    standing.answered(now);
    standing.failed(&who(1), now, (&limited(None), Some(Blame::Limit)), now);
    assert_eq!(closed(&standing, &who(1), now), 1);
}

#[test]
fn an_answer_to_a_call_from_before_a_pause_does_not_end_it() {
    let now = Instant::now();
    let mut standing = Standing::default();
    standing.failed(&who(1), now, (&limited(Some(9)), Some(Blame::Limit)), now);
    standing.answered(now);
    assert_eq!(closed(&standing, &who(1), now), 9);
    let turned = standing.turned_away(&who(2), now + SECOND).unwrap();
    let failure = ChatFailure::RateLimited { message: "slow down".into(), after: Some(8 * SECOND) };
    assert_eq!(turned, Turned { failure, blame: Blame::Limit });
}

#[test]
fn only_a_server_that_answers_nobody_is_taken_to_be_away() {
    let dependency = Some(Blame::Dependency);
    // Who fails, how, and whose fault the ledger finds it.
    for (failures, expected) in [
        (vec![(1, away(), dependency), (2, away(), dependency)], false),
        (vec![(1, away(), dependency), (2, away(), dependency), (3, away(), dependency)], true),
        (vec![(1, slow(), None), (2, away(), dependency), (3, slow(), None)], true),
        // One that is at fault fails again and again, and others must get through to show it.
        (vec![(1, away(), dependency); 9], false),
        (vec![(1, away(), dependency), (2, away(), Some(Blame::Request)), (3, away(), Some(Blame::Request))], false),
        // The model wrote no JSON, or too much: paid for, and nobody's fault.
        (vec![(1, away(), None), (2, away(), None), (3, away(), None)], false),
        // A server that refuses is there.
        (
            vec![
                (1, away(), dependency),
                (2, away(), dependency),
                (4, ChatFailure::InvalidRequest("400".into()), None),
                (3, away(), dependency),
            ],
            false,
        ),
        (
            vec![
                (1, away(), dependency),
                (2, away(), dependency),
                (4, limited(None), Some(Blame::Limit)),
                (3, slow(), None),
            ],
            false,
        ),
        (vec![(1, ChatFailure::InvalidRequest("400".into()), None); 9], false),
        (
            vec![
                (1, ChatFailure::ContextLengthExceeded { message: "long".into(), limit: None, actual: None }, None);
                9
            ],
            false,
        ),
        (vec![(1, ChatFailure::Misconfigured("401".into()), dependency); 9], false),
        (vec![(1, no_money(), dependency)], true),
        (vec![(1, no_money(), Some(Blame::Request))], false),
    ] {
        let now = Instant::now();
        let mut standing = Standing::default();
        for (number, failure, blame) in &failures {
            standing.failed(&who(*number), now, (failure, *blame), now);
        }
        let turned = standing.turned_away(&who(9), now + 2 * SECOND);
        assert_eq!(turned.is_some(), expected, "{failures:?}");
    }
}

fn broken(now: Instant) -> Standing {
    let mut standing = Standing::default();
    for number in 1..=3 {
        let change = standing.failed(&who(number), now, (&away(), Some(Blame::Dependency)), now);
        assert_eq!(change, (number == 3).then_some(Change::Away));
    }
    standing
}

#[test]
fn a_server_that_is_away_is_probed_every_five_seconds_and_one_answer_brings_it_back() {
    let now = Instant::now();
    let mut standing = broken(now);
    let turned = standing.turned_away(&who(4), now + SECOND).unwrap();
    assert!(matches!(&turned.failure, ChatFailure::Unavailable { after: Some(after), .. } if *after == 4 * SECOND));
    assert_eq!(turned.blame, Blame::Dependency, "it was not asked");
    assert_eq!(closed(&standing, &who(4), now), 5);
    let mut probe = now + 5 * SECOND;
    standing.sent(&who(4), probe);
    standing.failed(&who(4), probe, (&away(), Some(Blame::Dependency)), probe);
    assert_eq!((closed(&standing, &who(5), probe), closed(&standing, &who(4), probe)), (5, 10), "others go first");
    probe += 5 * SECOND;
    standing.sent(&who(5), probe);
    assert_eq!(standing.answered(probe), Some(Change::Back));
    assert_eq!(closed(&standing, &who(4), probe), 0);
    assert_eq!(standing.answered(probe), None);
}

#[test]
fn an_answer_to_a_call_from_before_an_outage_does_not_end_it() {
    let now = Instant::now();
    let mut standing = broken(now + SECOND);
    assert_eq!(standing.answered(now), None);
    assert!(standing.turned_away(&who(4), now + SECOND).is_some());
    assert_eq!(standing.answered(now + SECOND), Some(Change::Back), "it began beside them");
}

#[test]
fn a_server_that_says_when_it_is_back_is_not_probed_before() {
    let now = Instant::now();
    let mut standing = broken(now);
    let later = ChatFailure::Unavailable { message: "503".into(), after: Some(30 * SECOND) };
    standing.failed(&who(4), now, (&later, Some(Blame::Dependency)), now);
    assert_eq!(closed(&standing, &who(5), now), 30);
}

#[test]
fn an_account_without_money_is_probed_ever_more_rarely_and_the_quota_is_named() {
    let begun = Instant::now();
    let mut now = begun;
    let mut standing = Standing::default();
    let dependency = Some(Blame::Dependency);
    standing.failed(&who(1), now, (&no_money(), dependency), now);
    let Some(Turned { failure: ChatFailure::RateLimited { message, after }, blame }) =
        standing.turned_away(&who(2), now)
    else {
        panic!("it is turned away")
    };
    assert!(message.starts_with("the quota PerDay is used up; "), "{message}");
    assert_eq!((after, blame), (Some(5 * SECOND), Blame::Dependency));
    let mut waits = Vec::new();
    for number in 2..11 {
        let wait = closed(&standing, &who(number), now);
        waits.push(wait);
        now += wait * SECOND;
        standing.sent(&who(number), now);
        standing.failed(&who(number), now, (&no_money(), dependency), now);
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    standing.answered(begun);
    assert_eq!(closed(&standing, &who(20), now), 300, "a call from before says nothing");
    now += 300 * SECOND;
    standing.sent(&who(20), now);
    assert_eq!(standing.answered(now), Some(Change::Back));
}
