//! Which routes items take, and which jobs wait for each other.

use std::time::Duration;

use super::play::{Arrive, Assign, Play, Revoke, Stop, Wait};
use super::seconds;
use crate::flow::FlowError;
use crate::flow::settings::{Order, RetryPolicy};
use crate::model::{DeadLetterBounds, Intake, OnFailure, Plan, Target};

fn outs(effects: &[String]) -> Vec<&str> {
    effects.iter().filter(|line| !line.contains("settled") && !line.contains("closed")).map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn branches_lead_to_stages_topics_and_nowhere() {
    let plan = |plan: &mut Plan| {
        plan.nodes[0].branches = [
            ("spam".to_owned(), Target::Drop),
            ("odd".to_owned(), Target::Topic("odd".into())),
            ("last".to_owned(), Target::Stage(2)),
        ]
        .into();
    };
    let play = Play { stages: 3, plan, log_calls: true, ..Play::default() };
    let history = [
        Assign(0),
        Arrive(0, 1, "to spam a"),
        Arrive(0, 2, "to odd b"),
        Arrive(0, 3, "to last c"),
        Arrive(0, 4, "to nowhere d"),
        Wait(seconds(1)),
        Stop,
    ];
    let effects = play.effects(&history).await;
    let outs = outs(&effects);
    for line in ["0s odd b", "0s out c", "0s dead to nowhere d unmapped-branch"] {
        assert!(outs.contains(&line), "{line}: {outs:?}");
    }
    assert_eq!(
        outs.iter().filter(|line| line.contains("call c")).count(),
        1,
        "the second stage was left out: {outs:?}"
    );
    assert!(!outs.iter().any(|line| line.ends_with(" a")), "{outs:?}");
    assert!(effects.iter().any(|line| line.contains("settled 0:1")), "a dropped event is settled: {effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_gathering_stage_gets_everything_at_once() {
    let plan = |plan: &mut Plan| plan.nodes[2].intake = Intake::Gathered;
    let play = Play { stages: 3, plan, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "split slow-1 b c"), Wait(seconds(5)), Stop]).await;
    let expected = r#"0s out {"items":[{"id":"in:0:1/s0.0/s1.0","text":"slow-1"}"#;
    assert!(effects[0].starts_with(expected), "{effects:?}");
    assert_eq!(effects[0].matches("\"text\"").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_item_is_left_out_and_a_rescued_one_comes_again() {
    let skip = |plan: &mut Plan| plan.nodes[1].on_failure = OnFailure::Skip;
    let play = Play { stages: 2, plan: skip, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "split a reject"), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects[..2], ["0s out a", "0s settled 0:1 below 2"]);

    let rescue = |plan: &mut Plan| {
        plan.nodes[0].on_failure = OnFailure::Rescue(1);
        plan.nodes[0].next = Target::Sink;
    };
    let play = Play { stages: 2, plan: rescue, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "never"), Wait(seconds(20)), Stop]).await;
    assert!(effects[0].ends_with("out mended"), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn attempts_end_with_the_deadline() {
    let retry = RetryPolicy { deadline: Duration::from_secs(4), ..RetryPolicy::default() };
    let play = Play { retry, log_calls: true, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "never"), Wait(seconds(30)), Stop]).await;
    assert_eq!(effects.iter().filter(|line| line.contains("call")).count(), 2, "the third would begin at 6 s");
}

#[tokio::test(start_paused = true)]
async fn by_partition_events_are_worked_on_one_after_the_other() {
    let history =
        [Assign(0), Assign(1), Arrive(0, 1, "slow 5"), Arrive(0, 2, "b"), Arrive(1, 1, "c"), Wait(seconds(9)), Stop];
    let effects = Play { order: Order::Partition, ..Play::default() }.effects(&history).await;
    assert_eq!(outs(&effects), ["0s out c", "5s out slow 5", "5s out b"]);
}

#[tokio::test(start_paused = true)]
async fn by_key_events_wait_only_for_their_own_key() {
    let history = [
        Assign(0),
        Arrive(0, 1, "slow 5@x"),
        Arrive(0, 2, "b@x"),
        Arrive(0, 3, "c@y"),
        Arrive(0, 4, "d"),
        Wait(seconds(9)),
        Stop,
    ];
    let effects = Play { order: Order::Key, ..Play::default() }.effects(&history).await;
    assert_eq!(outs(&effects), ["0s out c", "0s out d", "5s out slow 5", "5s out b"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_holds_up_its_own_key_and_no_other() {
    let history =
        [Assign(0), Arrive(0, 1, "flaky@x"), Arrive(0, 2, "b@x"), Arrive(0, 3, "c@y"), Wait(seconds(9)), Stop];
    let effects = Play { order: Order::Key, ..Play::default() }.effects(&history).await;
    assert_eq!(outs(&effects), ["0s out c", "2s out flaky", "2s out b"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_is_not_begun_when_the_partition_goes() {
    let history =
        [Assign(0), Arrive(0, 1, "slow 5"), Arrive(0, 2, "b"), Wait(seconds(1)), Revoke(0), Wait(seconds(20)), Stop];
    let effects = Play { order: Order::Partition, ..Play::default() }.effects(&history).await;
    assert_eq!(effects, ["5s out slow 5", "5s settled 0:1 below 2", "5s released 0", "21s closed"]);
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_for_their_turn_count_as_in_flight() {
    let history =
        [Assign(0), Arrive(0, 1, "slow 5"), Arrive(0, 2, "slow 5"), Arrive(0, 3, "c"), Wait(seconds(30)), Stop];
    let effects = Play { jobs: 2, order: Order::Partition, ..Play::default() }.effects(&history).await;
    assert_eq!(outs(&effects), ["5s out slow 5", "10s out slow 5", "10s out c"]);
}

#[tokio::test(start_paused = true)]
async fn too_many_dead_letters_stop_the_pipeline_and_what_is_behind_them_comes_again() {
    let dead_letters = DeadLetterBounds { in_a_row: 3.try_into().unwrap(), ..DeadLetterBounds::default() };
    let history: Vec<_> = [Assign(0)]
        .into_iter()
        .chain((0..9).map(|position| Arrive(0, position, "reject")))
        .chain([Wait(seconds(5)), Stop])
        .collect();
    let play = Play { jobs: 1, dead_letters, ..Play::default() };
    let (effects, ended) = play.play(&history).await;
    assert!(matches!(&ended, Err(FlowError::TooManyDeadLetters { reason }) if reason.starts_with('3')), "{ended:?}");
    assert_eq!(effects.iter().filter(|line| line.contains("dead")).count(), 3, "{effects:?}");
    assert_eq!(effects.last().map(String::as_str), Some("0s closed"), "{effects:?}");
}
