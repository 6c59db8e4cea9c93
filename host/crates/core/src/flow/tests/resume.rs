//! Jobs that are resumed: finished stages do not run a second time.

use std::sync::Arc;

use super::play::{Arrive, ArriveTogether, Assign, Moment, Play, Stop, Wait};
use super::seconds;
use super::world::MemoryStore;
use crate::flow::FlowError;
use crate::model::Outcome;
use crate::ports::Kept;

fn play(store: &Arc<MemoryStore>) -> Play {
    Play { stages: 2, store: Some(Arc::clone(store)), log_calls: true, ..Play::default() }
}

fn of(what: &str, effects: &[String]) -> Vec<String> {
    effects.iter().filter(|line| line.contains(what)).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_on_where_the_last_host_died() {
    let store = Arc::default();
    // The first host stops with an error once all stages are done, because its sink is broken.
    let history = [Assign(0), Arrive(0, 1, "split a b slow"), Wait(seconds(1))];
    let first: Vec<Moment> = history.into_iter().chain([Stop]).collect();
    let killed = Play { broken_topics: vec!["out"], ..play(&store) };
    let (effects, ended) = killed.play(&first).await;
    assert!(matches!(ended, Err(FlowError::Sink { .. })), "{ended:?}");
    assert_eq!(of("call", &effects).len(), 4, "{effects:?}");
    let effects = play(&store).effects(&[Assign(0), Arrive(0, 1, "split a b slow"), Wait(seconds(1)), Stop]).await;
    assert_eq!(of("call", &effects), Vec::<String>::new());
    assert_eq!(of("restored", &effects).len(), 4);
    assert_eq!(of("out", &effects), ["0s out a", "0s out b", "0s out slow"]);
}

#[tokio::test(start_paused = true)]
async fn another_event_at_the_same_place_of_another_topic_content_is_not_taken_for_it() {
    let store = Arc::default();
    play(&store).effects(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    let effects = play(&store).effects(&[Assign(0), Arrive(0, 1, "b"), Wait(seconds(1)), Stop]).await;
    assert_eq!(of("restored", &effects), Vec::<String>::new(), "the content distinguishes them");
}

#[tokio::test(start_paused = true)]
async fn what_was_rejected_is_asked_about_again() {
    let store = Arc::default();
    for _ in 0..2 {
        let effects = play(&store).effects(&[Assign(0), Arrive(0, 1, "reject"), Wait(seconds(1)), Stop]).await;
        assert_eq!(of("call", &effects), ["0s call reject #1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_while_holds_the_offset_and_loses_nothing() {
    let store = Arc::new(MemoryStore { silent: 4.into(), ..MemoryStore::default() });
    let history = [Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Arrive(0, 2, "b"), Wait(seconds(60)), Stop];
    let effects = play(&store).effects(&history).await;
    assert_eq!(of("call", &effects).len(), 4, "each stage runs once for each item: {effects:?}");
    let settled = of("settled", &effects);
    assert_eq!(settled.len(), 2, "{effects:?}");
    assert!(settled[1].ends_with("below 3") && !settled[0].starts_with("0s"), "held during the outage: {effects:?}");
    assert!(store.kept.lock().unwrap().len() == 4);
}

#[tokio::test(start_paused = true)]
async fn what_another_host_kept_first_is_what_counts() {
    let store: Arc<MemoryStore> = Arc::default();
    play(&store).effects(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    // The other host was faster, and its stage decided differently.
    let other = Kept::Outcome(Outcome::Drop("other".into()));
    store.kept.lock().unwrap().values_mut().for_each(|kept| *kept = other.clone());
    let blind = Arc::new(MemoryStore {
        blind: true,
        kept: store.kept.lock().unwrap().clone().into(),
        ..MemoryStore::default()
    });
    let effects = play(&blind).effects(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    assert_eq!(of("call", &effects).len(), 1, "the outcome of the other host ends the job: {effects:?}");
    assert!(of("out", &effects).is_empty() && of("settled", &effects).len() == 1, "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn what_jobs_that_arrived_together_have_to_keep_goes_into_one_write_and_nobody_waits_for_the_slow_one() {
    let store: Arc<MemoryStore> = Arc::default();
    // After a first one, by which the flow learns that its jobs are short.
    let history = [
        Assign(0),
        Arrive(0, 0, "first"),
        Wait(seconds(1)),
        ArriveTogether(0, 1, &["a", "split b c", "slow 5"]),
        Wait(seconds(60)),
        Stop,
    ];
    let effects = play(&store).effects(&history).await;
    assert_eq!(*store.writes.lock().unwrap(), [1, 1, 2, 3, 1, 1], "{effects:?}");
    assert_eq!(of("out", &effects), ["0s out first", "1s out a", "1s out b", "1s out c", "11s out slow 5"]);
    // Another host finds all of it.
    let effects = play(&store).effects(&history).await;
    assert_eq!(of("call", &effects), Vec::<String>::new());
    assert_eq!(of("restored", &effects).len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_acknowledges_nothing() {
    let store = Arc::new(MemoryStore { full: true, ..MemoryStore::default() });
    let (effects, ended) = play(&store).play(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::Store { .. })), "{ended:?}");
    assert!(of("settled", &effects).is_empty() && of("out", &effects).is_empty(), "{effects:?}");
}
