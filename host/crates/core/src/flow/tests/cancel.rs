//! Jobs that somebody asks to end: wherever they are, unless their end is on its way.

use std::sync::Arc;

use super::book::MemoryBook;
use super::play::{Arrive, Assign, Cancel, Moment, Play, Stop, Wait};
use super::seconds;
use crate::flow::settings::Order;
use crate::model::{Ended, JobId, PayloadText, Phase};

fn play(book: &Arc<MemoryBook>) -> Play {
    Play { book: Some(Arc::clone(book)), ..Play::default() }
}

/// One job, of which somebody asks for the end after 2 s.
fn cancelled(payload: &'static str) -> [Moment; 6] {
    [Assign(0), Arrive(0, 1, payload), Wait(seconds(2)), Cancel("p/in/0/1"), Wait(seconds(100)), Stop]
}

/// That it was cancelled within a second, and its event settled.
fn assert_ended(effects: &[String], what: &str) {
    let at = |end: &str| effects.iter().filter(|line| line.ends_with(end)).cloned().collect::<Vec<_>>();
    let recorded = at("recorded p/in/0/1 Cancelled");
    assert!(
        recorded == ["2s recorded p/in/0/1 Cancelled"] || recorded == ["3s recorded p/in/0/1 Cancelled"],
        "{what}: {effects:?}"
    );
    assert_eq!(at("settled 0:1 below 2").len(), 1, "{what}: {effects:?}");
    assert!(!effects.iter().any(|line| line.contains("out ") || line.contains("dead ")), "{what}: {effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_cancelled_in_a_stage_in_a_pause_and_before_a_retry() {
    for payload in ["slow 50", "limited 50", "refused", "never"] {
        let book = Arc::default();
        let retry = crate::flow::settings::RetryPolicy { first_wait: seconds(50), ..Default::default() };
        let effects = Play { retry, ..play(&book) }.effects(&cancelled(payload)).await;
        assert_ended(&effects, payload);
        let record = book.record("p/in/0/1");
        assert_eq!((record.ended, record.told.waiting), (Some(Ended::Cancelled), None), "{payload}");
        assert!(record.standing.percent.get() < 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_turn_is_cancelled_when_it_comes() {
    let book = Arc::default();
    let history = [
        Assign(0),
        Arrive(0, 1, "slow 5"),
        Arrive(0, 2, "b"),
        Wait(seconds(2)),
        Cancel("p/in/0/2"),
        Wait(seconds(9)),
        Stop,
    ];
    let effects = Play { order: Order::Partition, ..play(&book) }.effects(&history).await;
    assert!(effects.contains(&"5s recorded p/in/0/2 Cancelled".into()), "{effects:?}");
    assert!(effects.contains(&"5s out slow 5".into()) && !effects.contains(&"5s out b".into()), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_end_is_on_its_way_ends_so() {
    let history = cancelled("a");
    for transactions in [None, Some((10, 0))] {
        let book = Arc::default();
        // Written for 5 s: cancelled in the middle of it.
        let long = Play { transactions, sink_latency: seconds(5), ..play(&book) };
        let effects = long.effects(&history).await;
        assert_eq!(book.record("p/in/0/1").ended, Some(Ended::Completed), "{transactions:?}: {effects:?}");
        assert_eq!(effects.iter().filter(|line| line.contains("out a")).count(), 1, "{transactions:?}: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_settled_in_a_transaction_too() {
    let book = Arc::default();
    let effects = Play { transactions: Some((10, 0)), ..play(&book) }.effects(&cancelled("slow 50")).await;
    assert!(effects.iter().any(|line| line.ends_with("committed [] 0 below 2")), "{effects:?}");
    assert_eq!(book.record("p/in/0/1").ended, Some(Ended::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_host_died_is_cancelled_by_the_next_one() {
    let book: Arc<MemoryBook> = Arc::default();
    // The first host is gone before it hears of it.
    let died = [Assign(0), Arrive(0, 1, "slow 500"), Wait(seconds(2)), Stop];
    play(&book).effects(&died).await;
    assert_eq!(book.record("p/in/0/1").standing.phase, Phase::Running);
    book.cancel("p/in/0/1");
    let next = [Assign(0), Arrive(0, 1, "slow 500"), Wait(seconds(9)), Stop];
    let effects = play(&book).effects(&next).await;
    assert!(
        effects[0].ends_with("recorded p/in/0/1 Cancelled") && effects[1].ends_with("settled 0:1 below 2"),
        "{effects:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_submitted_job_that_is_cancelled_before_its_event_comes_does_not_begin() {
    const HEADER: &[&str] = &["gristmill-submitted=00000000-0001-7000-8000-000000000000;1"];
    let book: Arc<MemoryBook> = Arc::default();
    let job = JobId::submitted(1, &[0; 10]);
    book.submit(&job, PayloadText::Inline(b"a"));
    book.cancel(job.as_str());
    let play = Play { log_calls: true, ..play(&book) };
    let effects = play.effects(&[Assign(0), Moment::Replay(0, 1, "a", HEADER), Wait(seconds(9)), Stop]).await;
    assert_eq!(effects, ["0s settled 0:1 below 2", "9s closed"]);
    assert_eq!(book.record(job.as_str()).ended, Some(Ended::Cancelled));
}
