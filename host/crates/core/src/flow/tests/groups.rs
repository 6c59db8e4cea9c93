//! Events that arrived together: they share a task, and calls where the stage allows it, and nothing else.

use super::play::{Arrive, ArriveTogether, Assign, Lose, Moment, Play, Revoke, Stop, Wait};
use super::seconds;
use crate::flow::Waits;
use crate::flow::settings::Order;
use crate::ports::{BatchOf, Batching};

/// Events after a first one, by which the flow learns that its jobs are short.
fn together(payloads: &'static [&'static str]) -> Vec<Moment> {
    vec![Assign(0), Arrive(0, 0, "first"), Wait(seconds(1)), ArriveTogether(0, 1, payloads), Wait(seconds(60)), Stop]
}

/// What happened from the second event on.
async fn effects(play: Play, payloads: &'static [&'static str]) -> Vec<String> {
    let effects = play.effects(&together(payloads)).await;
    effects.into_iter().filter(|line| !line.contains("first") && !line.contains("settled 0:0")).collect()
}

fn batching(of: BatchOf) -> Play {
    Play { batch: Batching { most: 3, of }, log_calls: true, ..Play::default() }
}

fn lines<'e>(effects: &'e [String], what: &str) -> Vec<&'e str> {
    effects.iter().filter(|line| line.contains(what)).map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn they_are_settled_together_once_all_outputs_are_acknowledged() {
    let effects = effects(Play::default(), &["a", "b", "c"]).await;
    assert_eq!(effects, ["1s out a", "1s out b", "1s out c", "1s settled 0:1,2,3 below 4", "61s closed"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slow_or_fails_holds_up_no_other() {
    let effects = effects(Play::default(), &["slow 5", "flaky", "reject", "d"]).await;
    let expected = [
        "1s dead reject rejected",
        "1s out d",
        "1s settled 0:3,4 below -",
        "3s out flaky",
        "3s settled 0:2 below -",
        "6s out slow 5",
        "6s settled 0:1 below 5",
        "61s closed",
    ];
    assert_eq!(effects, expected);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_may_take_items_of_several_jobs_takes_them_in_one_call() {
    let effects = effects(batching(BatchOf::Jobs), &["a", "b", "c", "d"]).await;
    assert_eq!(lines(&effects, "batch"), ["1s batch a b c"]);
    assert_eq!(lines(&effects, "settled"), ["1s settled 0:1,2,3,4 below 5"]);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_keeps_jobs_apart_takes_each_alone() {
    let effects = effects(batching(BatchOf::Job), &["a", "b", "c", "d"]).await;
    assert!(lines(&effects, "batch").is_empty(), "{effects:?}");
    assert_eq!(lines(&effects, "call").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_breaks_is_no_attempt_of_the_items_in_it() {
    let effects = effects(batching(BatchOf::Jobs), &["a", "unbatchable", "c"]).await;
    assert_eq!(lines(&effects, "call"), ["1s call a #1", "1s call unbatchable #1", "1s call c #1"]);
    assert_eq!(lines(&effects, "settled"), ["1s settled 0:1,2,3 below 4"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_item_that_fails_in_a_call_fails() {
    let effects = effects(batching(BatchOf::Jobs), &["a", "reject", "c"]).await;
    assert_eq!(lines(&effects, "dead"), ["1s dead reject rejected"]);
    assert_eq!(lines(&effects, "out"), ["1s out a", "1s out c"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_one_item_holds_up_is_given_up_for_the_others() {
    let effects = effects(batching(BatchOf::Jobs), &["a", "slow 5", "c"]).await;
    assert_eq!(lines(&effects, "out"), ["1s out a", "1s out c", "6s out slow 5"]);
    assert_eq!(lines(&effects, "call slow 5"), ["1s call slow 5 #1", "1s call slow 5 #1"], "in company, then alone");
}

#[tokio::test(start_paused = true)]
async fn where_a_stage_may_wait_no_call_is_shared() {
    let play = Play { waits: Waits::Maybe, ..batching(BatchOf::Jobs) };
    let effects = effects(play, &["a", "b", "c"]).await;
    assert!(lines(&effects, "batch").is_empty(), "{effects:?}");
    assert_eq!(lines(&effects, "out").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_allowed_are_in_flight() {
    let play = Play { jobs: 2, log_calls: true, ..Play::default() };
    let effects = effects(play, &["slow 5", "slow 5", "slow 5", "slow 5", "slow 5"]).await;
    for second in ["1s call", "6s call"] {
        let calls = effects.iter().filter(|line| line.starts_with(second)).count();
        assert_eq!(calls, 2, "{second}: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_of_one_key_run_one_after_the_other() {
    let play = Play { order: Order::Key, ..Play::default() };
    let effects = effects(play, &["slow 5@k", "b@k", "c@other"]).await;
    assert_eq!(lines(&effects, "out"), ["1s out c", "6s out slow 5", "6s out b"]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_takes_those_that_are_done_without_gaps() {
    let play = Play { transactions: Some((100, 0)), ..Play::default() };
    let effects = effects(play, &["a", "slow 5", "c"]).await;
    assert_eq!(
        lines(&effects, "committed"),
        ["2s committed [out a] 0 below 2", "7s committed [out slow 5, out c] 0 below 4"]
    );
}

#[tokio::test(start_paused = true)]
async fn those_that_still_run_when_their_partition_is_lost_are_stale() {
    for (taken, at) in [(Lose(0), 2), (Revoke(0), 32)] {
        let history = [
            Assign(0),
            Arrive(0, 0, "first"),
            Wait(seconds(1)),
            ArriveTogether(0, 1, &["a", "slow 500", "slow 500"]),
            Wait(seconds(1)),
            taken,
            Wait(seconds(900)),
            Stop,
        ];
        let effects = Play::default().effects(&history).await;
        assert_eq!(lines(&effects, "settled"), ["0s settled 0:0 below 1", "1s settled 0:1 below 2"]);
        assert_eq!(lines(&effects, "stale"), [format!("{at}s stale in/0/2"), format!("{at}s stale in/0/3")]);
    }
}
