//! Items of a job that are handed to a stage together.

use std::sync::Arc;

use super::play::{Arrive, Assign, Moment, Play, Stop, Wait};
use super::seconds;
use super::world::MemoryStore;
use crate::ports::{BatchOf, Batching};

fn history(text: &'static str) -> [Moment; 4] {
    [Assign(0), Arrive(0, 1, text), Wait(seconds(30)), Stop]
}

fn of_job(most: usize) -> Batching {
    Batching { most, of: BatchOf::Job }
}

fn batching() -> Play {
    Play { stages: 2, batch: of_job(3), log_calls: true, ..Play::default() }
}

fn lines<'e>(effects: &'e [String], what: &str) -> Vec<&'e str> {
    effects.iter().filter(|line| line.contains(what)).map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn items_that_are_ready_together_are_one_call_up_to_the_stages_bound() {
    let effects = batching().effects(&history("split a b c d")).await;
    assert_eq!(lines(&effects, "batch"), ["0s batch a b c"]);
    assert_eq!(lines(&effects, "out"), ["0s out a", "0s out b", "0s out c", "0s out d"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_no_larger_than_what_a_job_may_have_in_flight() {
    let play = Play { batch: of_job(1_000), ..batching() };
    let effects = play.effects(&history("split a b c d e f g h i j")).await;
    assert_eq!(lines(&effects, "batch"), ["0s batch a b c d e f g h", "0s batch i j"]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_fails_in_a_batch_is_tried_again_alone() {
    let effects = batching().effects(&history("split a flaky c")).await;
    assert_eq!(lines(&effects, "batch"), ["0s batch a flaky c"]);
    assert_eq!(lines(&effects, "call flaky"), ["0s call flaky #1", "2s call flaky #2"]);
    assert_eq!(lines(&effects, "call c"), ["0s call c #1"]);
    assert_eq!(lines(&effects, "out"), ["2s out a", "2s out flaky", "2s out c"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_breaks_is_no_attempt_of_its_items() {
    let effects = batching().effects(&history("split a unbatchable c")).await;
    assert_eq!(lines(&effects, "call unbatchable"), ["0s call unbatchable #1"]);
    assert_eq!(lines(&effects, "out"), ["0s out a", "0s out unbatchable", "0s out c"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_has_finished_is_in_no_batch() {
    let store = Arc::new(MemoryStore::default());
    let keeping = || Play { store: Some(Arc::clone(&store)), ..batching() };
    let effects = keeping().effects(&history("split a never c")).await;
    assert_eq!(lines(&effects, "dead").len(), 1);
    let effects = keeping().effects(&history("split a never c")).await;
    assert_eq!(lines(&effects, "restored s1").len(), 2, "{effects:?}");
    assert!(lines(&effects, "batch").is_empty() && lines(&effects, "call a").is_empty(), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn items_that_reach_a_stage_after_a_wait_are_called_too() {
    let effects = batching().effects(&[Assign(0), Arrive(0, 1, "slow 5"), Wait(seconds(60)), Stop]).await;
    assert_eq!(lines(&effects, "call"), ["0s call slow 5 #1", "5s call slow 5 #1"]);
    assert_eq!(lines(&effects, "out"), ["10s out slow 5"]);
}
