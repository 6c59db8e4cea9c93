//! Tests the flow with histories: signals in, effects out, in simulated time. "5s out a" means that at second 5 the
//! sink took the record a; "settled 0:7 below 8" that event 7 of partition 0 was reported settled, along with
//! everything below 8.

mod batches;
mod blame;
mod book;
mod canary;
mod cancel;
mod commands;
mod deletes;
mod delivery;
mod documents;
mod groups;
mod history;
mod inherited;
mod payloads;
mod play;
mod recorded;
mod replay;
mod resume;
mod routes;
mod server;
mod spent;
mod world;

use std::time::Duration;

use play::{Arrive, Assign, Lose, Play, Revoke, Stop, Wait};

use super::FlowError;

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn an_event_is_settled_after_its_output_is_acknowledged() {
    let play = Play { sink_latency: seconds(3), ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 7, "a"), Wait(seconds(5)), Stop]).await;
    assert_eq!(effects, ["3s out a", "3s settled 0:7 below 8", "5s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_never_jumps_over_an_unfinished_event() {
    let history = [Assign(0), Arrive(0, 1, "slow 5"), Arrive(0, 2, "b"), Arrive(0, 3, "c"), Wait(seconds(9)), Stop];
    let effects = Play::default().effects(&history).await;
    let settled: Vec<&String> = effects.iter().filter(|line| line.contains("settled")).collect();
    assert_eq!(settled, ["0s settled 0:2,3 below -", "5s settled 0:1 below 4"]);
}

#[tokio::test(start_paused = true)]
async fn outputs_of_a_split_item_keep_their_order_through_a_second_stage() {
    let play = Play { stages: 2, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "split x y z"), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects[..3], ["0s out x", "0s out y", "0s out z"]);
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_is_tried_again_after_two_seconds() {
    let history = [Assign(0), Arrive(0, 1, "flaky"), Wait(seconds(20)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["2s out flaky", "2s settled 0:1 below 2", "20s closed"]);
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_the_event_is_a_dead_letter_and_settled() {
    let play = Play { log_calls: true, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "never"), Wait(seconds(30)), Stop]).await;
    let calls = effects.iter().filter(|line| line.contains("call")).count();
    assert_eq!(calls, 3);
    assert!(effects.iter().any(|line| line.contains("dead never never")), "{effects:?}");
    assert!(effects.iter().any(|line| line.contains("settled 0:1 below 2")), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_retry_does_not_hold_up_other_events() {
    let history = [Assign(0), Arrive(0, 1, "flaky"), Arrive(0, 2, "b"), Wait(seconds(9)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects[0], "0s out b");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_not_tried_again() {
    let history = [Assign(0), Arrive(0, 1, "reject"), Wait(seconds(1)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["0s dead reject rejected", "0s settled 0:1 below 2", "1s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_trap_gets_one_more_chance() {
    let play = Play { log_calls: true, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "trap"), Wait(seconds(30)), Stop]).await;
    assert_eq!(effects.iter().filter(|line| line.contains("call")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_event_is_settled_without_a_record() {
    let effects = Play::default().effects(&[Assign(0), Arrive(0, 1, "drop"), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects, ["0s settled 0:1 below 2", "1s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_without_value_is_a_dead_letter() {
    let effects = Play::default().effects(&[Assign(0), Arrive(0, 1, "<null>"), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects[0], "0s dead <null> null-value", "it has no key either");
}

#[tokio::test(start_paused = true)]
async fn outputs_that_the_broker_refuses_make_a_dead_letter() {
    let effects = Play::default().effects(&[Assign(0), Arrive(0, 1, "huge"), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects[..2], ["0s dead huge output-refused", "0s settled 0:1 below 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_pauses_the_taking_of_events_and_loses_nothing() {
    let history = [Assign(0), Arrive(0, 1, "limited 11"), Wait(seconds(1)), Arrive(0, 2, "b"), Wait(seconds(60)), Stop];
    let effects = Play::default().effects(&history).await;
    assert!(!effects.iter().any(|line| line.contains("dead")), "{effects:?}");
    let second = |what: &str| {
        let line = effects.iter().find(|line| line.contains(what)).unwrap();
        line.split('s').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(second("out b") >= 11, "b was started during the pause: {effects:?}");
    assert!(second("out limited") >= 11);
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_than_allowed_are_in_flight() {
    let play = Play { jobs: 2, log_calls: true, ..Play::default() };
    let history: Vec<_> = [Assign(0)]
        .into_iter()
        .chain((0..6).map(|position| Arrive(0, position, "slow 5")))
        .chain([Wait(seconds(60)), Stop])
        .collect();
    let effects = play.effects(&history).await;
    for second in ["0s", "5s", "10s"] {
        let calls = effects.iter().filter(|line| line.starts_with(&format!("{second} call"))).count();
        assert_eq!(calls, 2, "at {second}: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_jobs_in_flight_finish_and_begins_no_new_ones() {
    let history = [Assign(0), Arrive(0, 1, "slow 5"), Stop, Arrive(0, 2, "late")];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["5s out slow 5", "5s settled 0:1 below 2", "5s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_no_longer_than_the_drain_timeout() {
    let effects = Play::default().effects(&[Assign(0), Arrive(0, 1, "slow 500"), Stop]).await;
    assert_eq!(effects, ["30s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_drained_before_it_is_given_away() {
    let history = [Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(1)), Revoke(0), Wait(seconds(9)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["5s out slow 5", "5s settled 0:1 below 2", "5s released 0", "10s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_given_away_in_time_and_its_late_job_is_never_settled() {
    let history = [Assign(0), Arrive(0, 1, "slow 500"), Wait(seconds(1)), Revoke(0), Wait(seconds(900)), Stop];
    let effects = Play::default().effects(&history).await;
    assert!(!effects.iter().any(|line| line.contains("settled")), "{effects:?}");
    assert!(effects.contains(&"31s released 0".into()), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_comes_back_starts_a_new_count() {
    let history = [
        Assign(0),
        Arrive(0, 1, "slow 100"),
        Wait(seconds(1)),
        Revoke(0),
        Wait(seconds(40)),
        Assign(0),
        Arrive(0, 1, "again"),
        Wait(seconds(200)),
        Stop,
    ];
    let effects = Play::default().effects(&history).await;
    let settled: Vec<&String> = effects.iter().filter(|line| line.contains("settled")).collect();
    assert_eq!(settled, ["41s settled 0:1 below 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_partition_is_given_up_at_once() {
    let history = [Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(1)), Lose(0), Wait(seconds(9)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["1s stale in/0/1", "10s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_back_before_it_was_drained_loses_none_of_its_events() {
    let slow = || [Assign(0), Arrive(0, 1, "slow 5"), Arrive(0, 2, "b"), Wait(seconds(1))];
    for taken in [Lose(0), Revoke(0)] {
        let again = [taken, Assign(0), Arrive(0, 1, "again"), Arrive(0, 2, "b"), Wait(seconds(60)), Stop];
        let effects = Play::default().effects(&[slow().as_slice(), &again].concat()).await;
        let settled: Vec<&String> = effects.iter().filter(|line| line.starts_with("1s settled")).collect();
        assert_eq!(settled, ["1s settled 0:1,2 below 3"]);
        assert!(!effects.contains(&"5s out slow 5".into()), "the earlier job is aborted: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_partition_that_is_not_ours_is_left_alone() {
    let effects = Play::default().effects(&[Assign(0), Arrive(1, 1, "a"), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects, ["1s closed"]);
}

#[tokio::test(start_paused = true)]
async fn the_pipeline_stops_when_a_dead_letter_cannot_be_written() {
    let play = Play { broken_topics: vec!["dead"], ..Play::default() };
    let (effects, ended) = play.play(&[Assign(0), Arrive(0, 1, "reject"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::DeadLetter { .. })), "{ended:?}");
    assert_eq!(effects, ["0s closed"], "nothing is settled");
}

#[tokio::test(start_paused = true)]
async fn the_pipeline_stops_when_outputs_are_not_confirmed() {
    let play = Play { broken_topics: vec!["out"], ..Play::default() };
    let (effects, ended) = play.play(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::Sink { .. })), "{ended:?}");
    assert_eq!(effects, ["0s closed"], "nothing is settled, and nothing is reported as a dead letter");
}

#[tokio::test(start_paused = true)]
async fn a_broken_host_stops_the_pipeline_and_blames_no_event() {
    let (effects, ended) = Play::default().play(&[Assign(0), Arrive(0, 1, "host"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::Stage { .. })), "{ended:?}");
    assert_eq!(effects, ["0s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_host_settles_nothing() {
    let (effects, ended) = Play::default().play(&[Assign(0), Arrive(0, 1, "panic"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::Panic(_))), "{ended:?}");
    assert_eq!(effects, ["0s closed"]);
}
