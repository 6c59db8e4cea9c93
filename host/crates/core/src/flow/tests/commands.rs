//! Operator commands to a running pipeline, and what its observers see.

use super::play::{Arrive, Assign, Lag, Lose, PauseFor, Play, Revoke, Stop, Swap, Wait};
use super::seconds;

#[tokio::test(start_paused = true)]
async fn a_paused_pipeline_finishes_what_it_has_and_takes_the_next_event_when_it_is_resumed() {
    let pause = PauseFor(seconds(9));
    let history =
        [Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(1)), pause, Arrive(0, 2, "b"), Wait(seconds(1)), Stop];
    let effects = Play::default().effects(&history).await;
    let expected = ["1s paused", "5s out slow 5", "5s settled 0:1 below 2", "10s resumed", "10s out b"];
    assert_eq!(effects[..5], expected);
    assert_eq!(effects[5], "10s settled 0:2 below 3");
}

#[tokio::test(start_paused = true)]
async fn a_paused_pipeline_still_gives_partitions_away() {
    let history =
        [Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(1)), PauseFor(seconds(60)), Revoke(0), Wait(seconds(9)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["1s paused", "5s out slow 5", "5s settled 0:1 below 2", "5s released 0", "10s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_ends_with_the_deployment_it_began_with() {
    let history =
        [Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(1)), Swap, Arrive(0, 2, "b"), Wait(seconds(9)), Stop];
    let effects = Play { stages: 2, ..Play::default() }.effects(&history).await;
    let outs: Vec<&String> = effects.iter().filter(|line| line.contains("out")).collect();
    assert_eq!(outs, ["1s out b v2 v2", "10s out slow 5"]);
}

#[tokio::test(start_paused = true)]
async fn observers_see_timed_pauses_queues_and_lag() {
    let history = [Assign(0), Lag(0, 7), Arrive(0, 1, "limited 7"), Wait(seconds(20)), Stop];
    let effects = Play { watched: true, ..Play::default() }.effects(&history).await;
    let expected = ["0s 7 behind in 0", "0s paused for a time: stage s0: limited: as told", "1s 1 jobs in flight"];
    assert_eq!(effects[..3], expected);
    assert_eq!(effects.last().unwrap(), "20s closed");
    assert!(effects.iter().any(|line| line.ends_with("s 0 jobs in flight")), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn models_are_told_the_portion_of_the_work_on_each_change_and_after_a_swap() {
    let history = [
        Assign(0),
        Assign(1),
        Swap,
        Arrive(1, 1, "slow 5"),
        Wait(seconds(1)),
        Revoke(1),
        Lose(0),
        Wait(seconds(9)),
        Stop,
    ];
    let effects = Play { log_portions: true, ..Play::default() }.effects(&history).await;
    let told: Vec<&str> = effects.iter().filter(|line| line.contains("does")).map(String::as_str).collect();
    // What is being taken away is ours until its job has ended.
    assert_eq!(
        told,
        ["0s v1 does 0", "0s v1 does 0.25", "0s v1 does 0.5", "0s v2 does 0.5", "1s v2 does 0.25", "5s v2 does 0"]
    );
}
