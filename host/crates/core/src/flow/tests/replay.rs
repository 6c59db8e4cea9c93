//! Replays of dead letters: what proves them, what they continue, and what becomes of forged ones.

use std::sync::Arc;

use super::play::{Arrive, Assign, Letter, Moment, Play, Replay, Stop, Wait};
use super::seconds;
use super::world::MemoryStore;
use crate::flow::settings::Order;

/// The dead letter of the first event, as if it had failed in the second stage.
const LETTER: Letter = (5, "split a b", &["failure_reason=trap", "gristmill-job-id=p/in/0/1", "gristmill-replays=0"]);
const REPLAY: Moment = Replay(0, 9, "split a b", &["gristmill-replay-of=dead/0/5"]);

fn play(store: &Arc<MemoryStore>) -> Play {
    Play { stages: 2, store: Some(Arc::clone(store)), log_calls: true, letters: vec![LETTER], ..Play::default() }
}

async fn first_run(store: &Arc<MemoryStore>) {
    play(store).effects(&[Assign(0), Arrive(0, 1, "split a b"), Wait(seconds(1)), Stop]).await;
}

fn of(what: &str, effects: &[String]) -> Vec<String> {
    effects.iter().filter(|line| line.contains(what)).cloned().collect()
}

/// The jobs that something is kept for.
fn jobs(store: &MemoryStore) -> Vec<String> {
    let mut jobs: Vec<String> = store.kept.lock().unwrap().keys().map(|(job, _)| job.to_string()).collect();
    jobs.sort();
    jobs.dedup();
    jobs
}

#[tokio::test(start_paused = true)]
async fn a_replayed_event_continues_its_job() {
    let store = Arc::default();
    first_run(&store).await;
    let effects = play(&store).effects(&[Assign(0), REPLAY, Wait(seconds(1)), Stop]).await;
    assert_eq!(of("call", &effects), Vec::<String>::new());
    assert!(of("settled", &effects)[0].contains("0:9 below 10"), "the replayed event is settled at its own position");
    assert_eq!(jobs(&store), ["p/in/0/1"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_a_stage_runs_it_anew_and_what_follows() {
    let store = Arc::default();
    first_run(&store).await;
    let headers: &[&str] = &["gristmill-replay-of=dead/0/5", "gristmill-from-stage=s1"];
    for round in ["once", "after a crash"] {
        let history = [Assign(0), Replay(0, 9, "split a b", headers), Wait(seconds(1)), Stop];
        let effects = play(&store).effects(&history).await;
        let (calls, restored) = (of("call", &effects).len(), of("restored", &effects).len());
        let expected = if round == "once" { (2, 1) } else { (0, 3) };
        assert_eq!((calls, restored), expected, "{round}: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_replay_is_an_event_like_any_other() {
    let forged: [(&str, Moment); 6] = [
        ("another payload", Replay(0, 9, "split a c", &["gristmill-replay-of=dead/0/5"])),
        ("another key", Replay(0, 9, "split a b@k", &["gristmill-replay-of=dead/0/5"])),
        ("another header", Replay(0, 9, "split a b", &["gristmill-replay-of=dead/0/5", "mine=x"])),
        ("no such dead letter", Replay(0, 9, "split a b", &["gristmill-replay-of=dead/0/6"])),
        ("another topic", Replay(0, 9, "split a b", &["gristmill-replay-of=in/0/5"])),
        ("a job and no place", Replay(0, 9, "split a b", &["gristmill-replay-of=p/in/0/1"])),
    ];
    for (what, replay) in forged {
        let store = Arc::default();
        first_run(&store).await;
        let effects = play(&store).effects(&[Assign(0), replay, Wait(seconds(1)), Stop]).await;
        assert_eq!(of("restored", &effects).len(), 0, "{what}");
        assert_eq!(jobs(&store), ["p/in/0/1", "p/in/0/9"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_events_that_name_a_dead_letter_are_looked_up() {
    let effects = play(&Arc::default()).effects(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    assert_eq!(of("asked", &effects).len(), 0, "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_waits_until_the_dead_letters_can_be_read() {
    let store = Arc::default();
    first_run(&store).await;
    let away = Play { letters_away: 5, order: Order::Partition, ..play(&store) };
    let effects = away.effects(&[Assign(0), REPLAY, Arrive(0, 10, "b"), Wait(seconds(300)), Stop]).await;
    assert_eq!(of("asked", &effects).len(), 6, "{effects:?}");
    assert_eq!(of("restored", &effects).len(), 3, "it continues its job all the same: {effects:?}");
    let settled = of("settled", &effects);
    assert!(settled.len() == 2 && !settled[0].starts_with("0s"), "the offset is held: {effects:?}");
    assert!(of("dead", &effects).len() == 6, "nothing is a dead letter: {effects:?}");
}
