//! Waiting for a turn, over a paused clock.

use std::num::NonZeroU64;
use std::sync::atomic::Ordering;

use gristmill_core::model::Timestamp;

use tokio::task::yield_now;

use super::*;
use crate::budget::Clock;
use crate::fixtures::{MemoryCounters, job};
use crate::room::Room;

fn who(number: u128) -> Requester {
    Requester { job: job(number), stage: "s".into(), item: "a".into() }
}

fn limits(requests: u64) -> LimitSettings {
    LimitSettings { requests_per_minute: NonZeroU64::new(requests), ..LimitSettings::default() }
}

const SECOND: Duration = Duration::from_secs(1);

/// Asks for one call, waits at most this long, and gives the permit back at once. Returns how long it waited.
async fn pass(entry: &Entry, permits: &Share, longest: Duration) -> Result<Duration, Turned> {
    let begun = Instant::now();
    let who = who(1);
    let visit = Visit { target: "t", who: &who, size: 5, most_output: None };
    let admitted = entry.admit(visit, permits, longest).await?;
    admitted.answered(&Usage::default(), &Room::default());
    Ok(begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn calls_go_in_the_order_in_which_they_came() {
    let (entry, permits) = (Entry::new(Arc::default(), limits(60), None), Share::new(8));
    let order = Mutex::new(Vec::new());
    let call = |number: u32| {
        let (entry, permits, order) = (&entry, &permits, &order);
        async move {
            pass(entry, permits, 60 * SECOND).await.unwrap();
            order.lock().unwrap().push(number);
        }
    };
    let begun = Instant::now();
    tokio::join!(call(1), call(2), call(3), call(4));
    assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4]);
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_known_to_be_too_long_fails_at_once_and_says_when_there_is_room() {
    let (entry, permits) = (Entry::new(Arc::default(), limits(1), None), Share::new(8));
    pass(&entry, &permits, SECOND).await.unwrap();
    let begun = Instant::now();
    let Turned { failure, blame } = pass(&entry, &permits, 30 * SECOND).await.unwrap_err();
    let ChatFailure::RateLimited { message, after: Some(after) } = failure else { panic!("{failure:?}") };
    assert!((60..62).contains(&after.as_secs()), "{after:?}");
    assert!(message.contains("`requests_per_minute` of t"), "{message}");
    assert_eq!((blame, begun.elapsed()), (Blame::Limit, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_holds_no_permit_that_another_model_of_the_account_needs() {
    let (slow, permits) = (Entry::new(Arc::default(), limits(1), None), Share::new(1));
    let free = Entry::new(Arc::default(), LimitSettings::default(), None);
    pass(&slow, &permits, SECOND).await.unwrap();
    let waiting = pass(&slow, &permits, 90 * SECOND);
    let passing = async {
        yield_now().await;
        pass(&free, &permits, SECOND).await.unwrap()
    };
    let (waited, passed) = tokio::join!(waiting, passing);
    assert_eq!((waited.unwrap().as_secs(), passed), (60, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_larger_part_of_the_work_lets_those_who_wait_through_sooner() {
    let (entry, permits) = (Entry::new(Arc::default(), limits(6), None), Share::new(8));
    entry.share(Portion::NONE);
    let asked = async { pass(&entry, &permits, 90 * SECOND).await.unwrap_err() };
    assert!(matches!(asked.await.failure, ChatFailure::RateLimited { .. }), "nothing of it is ours");
    entry.share(Portion::new(1, 2));
    pass(&entry, &permits, 90 * SECOND).await.unwrap();
    let waiting = pass(&entry, &permits, 90 * SECOND);
    let growing = async {
        yield_now().await;
        entry.share(Portion::WHOLE);
    };
    let (waited, ()) = tokio::join!(waiting, growing);
    assert_eq!(waited.unwrap().as_secs(), 10, "and not 20");
}

#[tokio::test(start_paused = true)]
async fn a_pause_reaches_those_who_wait_already() {
    let (entry, permits) = (Entry::new(Arc::default(), limits(6), None), Share::new(8));
    let first = who(2);
    let visit = Visit { target: "t", who: &first, size: 5, most_output: None };
    let admitted = entry.admit(visit, &permits, SECOND).await.unwrap();
    let failing = async {
        yield_now().await;
        let failure = ChatFailure::RateLimited { message: "slow down".into(), after: Some(40 * SECOND) };
        admitted.failed(&failure, Some(Blame::Limit));
    };
    let begun = Instant::now();
    let (waited, ()) = tokio::join!(pass(&entry, &permits, 30 * SECOND), failing);
    let after = Some(40 * SECOND);
    assert_eq!(waited.unwrap_err().failure, ChatFailure::RateLimited { message: "slow down".into(), after });
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_takes_nothing_and_what_an_answer_says_is_left_counts_at_once() {
    let (entry, permits) = (Entry::new(Arc::default(), limits(600), None), Share::new(8));
    for _ in 0..7 {
        drop(timeout(Duration::ZERO, pass(&entry, &permits, SECOND)).await);
    }
    tokio::time::advance(SECOND).await;
    let first = who(2);
    let visit = Visit { target: "t", who: &first, size: 5, most_output: None };
    let admitted = entry.admit(visit, &permits, SECOND).await.unwrap();
    let room = Room(vec![(Dimension::RequestsPerMinute, 0)]);
    assert_eq!(pass(&entry, &permits, SECOND).await.unwrap(), Duration::ZERO, "a burst of 6 is there");
    admitted.answered(&Usage::default(), &room);
    assert!(pass(&entry, &permits, SECOND).await.unwrap() > SECOND / 20);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_a_day_is_one_for_all_hosts_and_survives_their_end() {
    const EVENING: i64 = 22 * 60 * 60 * 1_000;
    let counters = Arc::new(MemoryCounters::default());
    let begun = Instant::now();
    let clock: Clock = Arc::new(move || Timestamp(EVENING + i64::try_from(begun.elapsed().as_millis()).unwrap()));
    let limits = LimitSettings { requests_per_day: NonZeroU64::new(5), ..LimitSettings::default() };
    let host = || {
        let counters = Arc::<MemoryCounters>::clone(&counters);
        Entry::new(Arc::default(), limits, Some(Together::new(counters, Arc::clone(&clock), "limit/a".into())))
    };
    let permits = Share::new(8);
    for _ in 0..5 {
        pass(&host(), &permits, SECOND).await.unwrap();
    }
    assert_eq!(counters.used(), [("limit/a/requests_per_day/1970-01-01".to_owned(), 5_000)].into());
    let last = host();
    let Turned { failure, blame } = pass(&last, &permits, SECOND).await.unwrap_err();
    let ChatFailure::RateLimited { message, .. } = failure else { panic!("{failure:?}") };
    assert!(message.contains("`requests_per_day` of t is used up by all hosts for 7"), "{message}");
    assert_eq!(blame, Blame::Limit);
    tokio::time::advance(2 * 60 * 60 * SECOND).await;
    pass(&last, &permits, SECOND).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_the_store_this_host_keeps_to_its_part() {
    let counters = Arc::new(MemoryCounters::default());
    counters.away.store(true, Ordering::Relaxed);
    let together = Together::new(Arc::<MemoryCounters>::clone(&counters), Arc::new(|| Timestamp(0)), "limit/a".into());
    let (entry, permits) = (Entry::new(Arc::default(), limits(6), Some(together)), Share::new(8));
    entry.share(Portion::new(1, 2));
    pass(&entry, &permits, SECOND).await.unwrap();
    let waited = pass(&entry, &permits, 60 * SECOND).await.unwrap();
    assert_eq!(waited.as_secs(), 20, "a minute has three of them, and the store is not asked for each");
    assert!(counters.calls.load(Ordering::Relaxed) <= 6);
    counters.away.store(false, Ordering::Relaxed);
    tokio::time::advance(ALONE).await;
    pass(&entry, &permits, SECOND).await.unwrap();
    assert_eq!(counters.used().len(), 1, "it is counted there again");
}

#[tokio::test(start_paused = true)]
async fn what_a_target_declares_counts_as_long_as_it_lives() {
    let (gate, permits) = (Arc::<Gate>::default(), Share::new(8));
    let one = Entry::new(Arc::clone(&gate), limits(600), None);
    let low = Entry::new(gate, limits(6), None);
    pass(&one, &permits, SECOND).await.unwrap();
    pass(&one, &permits, SECOND).await.unwrap_err();
    drop(low);
    tokio::time::advance(SECOND).await;
    pass(&one, &permits, SECOND).await.unwrap();
}
