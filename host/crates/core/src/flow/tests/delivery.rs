//! Exactly-once: outputs and offsets are committed in transactions.

use super::play::{Arrive, Assign, Lose, Play, Revoke, Stop, Wait};
use super::seconds;
use crate::flow::FlowError;
use crate::flow::settings::Order;

fn play(most: u32, aborts: u32) -> Play {
    Play { transactions: Some((most, aborts)), ..Play::default() }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_takes_what_is_done_without_gaps() {
    let history = [Assign(0), Arrive(0, 1, "a"), Arrive(0, 2, "slow 5"), Arrive(0, 3, "c"), Wait(seconds(9)), Stop];
    let effects = play(100, 0).effects(&history).await;
    assert_eq!(effects, ["1s committed [out a] 0 below 2", "6s committed [out slow 5, out c] 0 below 4", "9s closed"]);
}

#[tokio::test(start_paused = true)]
async fn enough_jobs_do_not_wait_for_the_time() {
    let history = [Assign(0), Arrive(0, 1, "a"), Arrive(0, 2, "b"), Wait(seconds(9)), Stop];
    let effects = play(2, 0).effects(&history).await;
    assert_eq!(effects[0], "0s committed [out a, out b] 0 below 3");
}

#[tokio::test(start_paused = true)]
async fn one_transaction_settles_all_partitions() {
    let history = [Assign(0), Assign(1), Arrive(0, 1, "a"), Arrive(1, 7, "reject"), Wait(seconds(9)), Stop];
    let effects = play(100, 0).effects(&history).await;
    assert_eq!(effects.len(), 2, "{effects:?}");
    assert!(effects[0].contains("out a") && effects[0].contains("dead reject rejected"), "{effects:?}");
    assert!(effects[0].ends_with("0 below 2, 1 below 8"), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn what_emits_nothing_is_settled_too() {
    let effects = play(100, 0).effects(&[Assign(0), Arrive(0, 1, "drop"), Wait(seconds(9)), Stop]).await;
    assert_eq!(effects[0], "1s committed [] 0 below 2");
}

#[tokio::test(start_paused = true)]
async fn an_aborted_transaction_is_tried_again() {
    let effects = play(1, 2).effects(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(9)), Stop]).await;
    assert_eq!(effects, ["0s aborted", "0s aborted", "0s committed [out a] 0 below 2", "9s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_record_makes_a_dead_letter_of_its_job_alone() {
    let history = [Assign(0), Arrive(0, 1, "a"), Arrive(0, 2, "huge"), Arrive(0, 3, "c"), Wait(seconds(9)), Stop];
    let effects = play(3, 0).effects(&history).await;
    assert_eq!(effects[0], "0s committed [out a, dead huge output-refused, out c] 0 below 4");
}

#[tokio::test(start_paused = true)]
async fn a_refused_record_is_found_although_another_partition_was_lost_meanwhile() {
    // The order of partitions in a transaction is random: in some of these the lost one comes first.
    for _ in 0..20 {
        let history = [
            Assign(0),
            Assign(1),
            Arrive(0, 1, "a"),
            Arrive(1, 1, "huge"),
            Arrive(1, 2, "b"),
            Wait(seconds(1)),
            Lose(0),
            Wait(seconds(9)),
            Stop,
        ];
        let play = Play { sink_latency: seconds(2), ..play(3, 0) };
        let effects = play.effects(&history).await;
        let committed = "4s committed [dead huge output-refused, out b] 1 below 3";
        assert_eq!(effects[..2], ["1s stale in/0/1", committed]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_committed_before_it_is_given_away() {
    let history = [Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(1)), Revoke(0), Wait(seconds(9)), Stop];
    let play = Play { sink_latency: seconds(2), ..play(100, 0) };
    let effects = play.effects(&history).await;
    assert_eq!(effects, ["7s committed [out slow 5] 0 below 2", "7s released 0", "10s closed"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_above_an_unfinished_event_is_not_committed_when_its_partition_goes() {
    let history =
        [Assign(0), Arrive(0, 1, "slow 500"), Arrive(0, 2, "b"), Wait(seconds(1)), Revoke(0), Wait(seconds(90)), Stop];
    let effects = play(100, 0).effects(&history).await;
    assert_eq!(effects, ["31s stale in/0/2", "31s released 0", "31s stale in/0/1", "91s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_commits_what_is_done() {
    let effects = play(100, 0).effects(&[Assign(0), Arrive(0, 1, "slow 3"), Arrive(0, 2, "b"), Stop]).await;
    assert_eq!(effects, ["3s committed [out slow 3, out b] 0 below 3", "3s closed"]);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_wait_for_a_transaction_count_as_in_flight() {
    let history: Vec<_> =
        [Assign(0)].into_iter().chain((0..4).map(|at| Arrive(0, at, "a"))).chain([Wait(seconds(9)), Stop]).collect();
    let play = Play { jobs: 2, order: Order::Partition, ..play(100, 0) };
    let effects = play.effects(&history).await;
    assert_eq!(effects[..2], ["1s committed [out a, out a] 0 below 2", "2s committed [out a, out a] 0 below 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_panics_commits_nothing() {
    let (effects, ended) = play(1, 0).play(&[Assign(0), Arrive(0, 1, "panic"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::Panic(_))), "{ended:?}");
    assert_eq!(effects, ["0s closed"]);
}
