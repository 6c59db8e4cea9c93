//! The records of jobs: what is written when, and what an event has to prove to be that of a job.

use std::sync::Arc;

use super::book::MemoryBook;
use super::play::{Arrive, Assign, Letter, Lose, Moment, Play, Replay, Stop, Wait};
use super::seconds;
use super::world::MemoryStore;
use crate::flow::FlowError;
use crate::flow::settings::{Order, Recorded};
use crate::model::{Ended, JobId, KeptOutput, MomentKind, PayloadText, Phase, Run};

const JOB: &str = "00000000-0001-7000-8000-000000000000";
const SUBMITTED: &[&str] = &["gristmill-submitted=00000000-0001-7000-8000-000000000000;1"];

fn play(book: &Arc<MemoryBook>) -> Play {
    Play { book: Some(Arc::clone(book)), ..Play::default() }
}

/// A book in which a job was submitted with this payload.
fn submitted(payload: &str) -> Arc<MemoryBook> {
    let book = MemoryBook::default();
    book.submit(&JobId::submitted(1, &[0; 10]), PayloadText::Inline(payload.as_bytes()));
    Arc::new(book)
}

fn of(what: &str, effects: &[String]) -> Vec<String> {
    effects.iter().filter(|line| line.contains(what)).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_short_job_has_one_note_and_its_event_is_settled_after_it() {
    let book = Arc::default();
    let effects = play(&book).effects(&[Assign(0), Arrive(0, 7, "a"), Wait(seconds(5)), Stop]).await;
    assert_eq!(effects, ["0s out a", "0s recorded p/in/0/7 Completed", "0s settled 0:7 below 8", "5s closed"]);
    assert_eq!(book.notes.lock().unwrap().len(), 1);
    let record = book.record("p/in/0/7");
    assert_eq!((record.standing.percent.get(), record.told.outputs), (100, 1));
    assert_eq!(record.told.first_outputs[0].kept, None, "only what was submitted has its result in the record");
}

#[tokio::test(start_paused = true)]
async fn a_long_job_tells_how_far_it_is_and_never_less() {
    let book = Arc::default();
    let play = Play { stages: 2, ..play(&book) };
    play.effects(&[Assign(0), Arrive(0, 7, "slow 5"), Wait(seconds(20)), Stop]).await;
    let states = book.states.lock().unwrap();
    let seen: Vec<(u8, u32)> =
        states.iter().map(|record| (record.standing.percent.get(), record.standing.stage)).collect();
    assert_eq!(seen, [(0, 1), (50, 2), (100, 2)]);
    let versions: Vec<u64> = states.iter().map(|record| record.version).collect();
    assert!(versions.is_sorted_by(|one, other| one < other), "{versions:?}");
    assert_eq!(states[1].told.stage.as_ref().map(|stage| (&*stage.name, stage.of)), Some(("s1", 2)));
}

#[tokio::test(start_paused = true)]
async fn attempts_waits_and_the_last_error_are_told() {
    let book = Arc::default();
    play(&book).effects(&[Assign(0), Arrive(0, 7, "never"), Wait(seconds(30)), Stop]).await;
    let states = book.states.lock().unwrap();
    let waits: Vec<_> = states.iter().filter_map(|record| Some(&*record.told.waiting.as_ref()?.why)).collect();
    assert!(waits.iter().all(|why| *why == "retry of stage s0") && !waits.is_empty(), "{waits:?}");
    let last = states.last().unwrap();
    assert_eq!((last.ended, last.told.attempts), (Some(Ended::Failed), 3));
    assert_eq!(last.told.last_error.as_ref().unwrap().code, "never");
    assert_eq!(last.told.waiting, None);
    let moments = book.moments.lock().unwrap();
    let attempts = moments.iter().filter(|moment| matches!(moment.what, MomentKind::Attempt(_, Some(_))));
    assert_eq!((attempts.count(), moments.len()), (3, 3), "each once");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_a_limit_or_for_its_turn_says_so() {
    let book = Arc::default();
    let play = Play { order: Order::Partition, ..play(&book) };
    let history = [Assign(0), Arrive(0, 1, "limited 7"), Arrive(0, 2, "b"), Wait(seconds(30)), Stop];
    let effects = play.effects(&history).await;
    let states = book.states.lock().unwrap();
    let why = |job: &str| {
        let of_job = states.iter().filter(|record| record.job.as_str() == job);
        of_job.filter_map(|record| Some(record.told.waiting.as_ref()?.why.clone())).next()
    };
    assert_eq!(why("p/in/0/1").as_deref(), Some("limited: as told"));
    assert!(why("p/in/0/2").unwrap().contains("comes first"));
    assert_eq!(of("recorded", &effects).len(), 2, "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_submitted_job_runs_under_its_own_id_and_keeps_its_result() {
    let book = submitted("a");
    let effects = play(&book).effects(&[Assign(0), Replay(0, 7, "a", SUBMITTED), Wait(seconds(1)), Stop]).await;
    assert_eq!(of("recorded", &effects), [format!("0s recorded {JOB} Completed")]);
    let record = book.record(JOB);
    assert_eq!(record.told.first_outputs[0].kept, Some(KeptOutput::Inline("a".into())));
    assert_eq!(record.first.unwrap().place.to_string(), "in/0/7");
}

#[tokio::test(start_paused = true)]
async fn a_second_event_of_a_job_is_dropped_and_one_of_a_job_that_is_over_is_settled() {
    let book = submitted("a");
    let history = [Assign(0), Replay(0, 7, "a", SUBMITTED), Replay(0, 8, "a", SUBMITTED), Wait(seconds(1)), Stop];
    let effects = play(&book).effects(&history).await;
    assert_eq!((of("out a", &effects).len(), of("recorded", &effects).len()), (1, 1), "{effects:?}");
    let again = [Assign(0), Replay(0, 7, "a", SUBMITTED), Wait(seconds(1)), Stop];
    let effects = play(&book).effects(&again).await;
    assert_eq!(effects, ["0s settled 0:7 below 8", "1s closed"], "its outputs are out already");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_the_one_of_the_job_it_names_is_one_of_its_own() {
    let other_run: &[&str] = &["gristmill-submitted=00000000-0001-7000-8000-000000000000;2"];
    let forged: [(&str, Moment); 5] = [
        ("another payload", Replay(0, 9, "b", SUBMITTED)),
        ("another key", Replay(0, 9, "a@k", SUBMITTED)),
        ("another run", Replay(0, 9, "a", other_run)),
        ("no such job", Replay(0, 9, "a", &["gristmill-submitted=00000000-0002-7000-8000-000000000000;1"])),
        ("unreadable", Replay(0, 9, "a", &["gristmill-submitted=x"])),
    ];
    for (what, forged) in forged {
        let book = submitted("a");
        let effects = play(&book).effects(&[Assign(0), forged, Wait(seconds(1)), Stop]).await;
        assert_eq!(of("recorded", &effects), ["0s recorded p/in/0/9 Completed"], "{what}");
        assert_eq!(book.record(JOB).standing.phase, Phase::Accepted, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_submitted_jobs_have_records_if_that_is_wanted() {
    let book = submitted("a");
    let play = Play { recorded: Recorded::Submitted, ..play(&book) };
    let history = [Assign(0), Arrive(0, 6, "a"), Replay(0, 7, "a", SUBMITTED), Wait(seconds(1)), Stop];
    let effects = play.effects(&history).await;
    assert_eq!(of("recorded", &effects), [format!("0s recorded {JOB} Completed")]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_holds_the_ends_and_no_job_that_runs() {
    let book = Arc::new(MemoryBook { silent: 3.into(), ..MemoryBook::default() });
    let history = [Assign(0), Arrive(0, 1, "a"), Arrive(0, 2, "slow 1"), Wait(seconds(60)), Stop];
    let effects = play(&book).effects(&history).await;
    assert_eq!(of("out", &effects), ["0s out a", "1s out slow 1"]);
    let settled = of("settled", &effects);
    assert!(!settled[0].starts_with("0s") && !settled[0].starts_with("1s"), "{effects:?}");
    assert_eq!(of("recorded", &effects).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_stops_the_pipeline_and_settles_nothing() {
    let book = Arc::new(MemoryBook { full: true, ..MemoryBook::default() });
    let (effects, ended) = play(&book).play(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(1)), Stop]).await;
    assert!(matches!(ended, Err(FlowError::Store { .. })), "{ended:?}");
    assert_eq!(of("settled", &effects), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn with_transactions_a_job_settles_first_and_is_over_after_the_commit() {
    let book = Arc::default();
    let play = Play { transactions: Some((10, 1)), ..play(&book) };
    // It stops at once: what is committed at the very end is written, too.
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "a"), Stop]).await;
    assert_eq!(
        effects,
        [
            "0s recorded p/in/0/1 settles",
            "0s aborted",
            "0s committed [out a] 0 below 2",
            "0s recorded p/in/0/1 Completed",
            "0s closed"
        ]
    );
    assert_eq!(book.moments.lock().unwrap().len(), 1, "no moment is told twice");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_transaction_refuses_makes_the_job_a_failed_one() {
    let book = Arc::default();
    let play = Play { transactions: Some((10, 0)), ..play(&book) };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "huge"), Wait(seconds(5)), Stop]).await;
    assert_eq!(of("Failed", &effects).len(), 1, "{effects:?}");
    assert_eq!(book.record("p/in/0/1").told.last_error.unwrap().code, "output-refused");
}

#[tokio::test(start_paused = true)]
async fn what_was_settling_when_a_host_died_is_over_once_the_group_begins_after_it() {
    let book: Arc<MemoryBook> = Arc::default();
    let first = Play { transactions: Some((10, 0)), ..play(&book) };
    first.effects(&[Assign(0), Arrive(0, 1, "a"), Wait(seconds(5)), Stop]).await;
    // As if it had died after the commit.
    book.records.lock().unwrap().get_mut("p/in/0/1").unwrap().standing.phase = Phase::Settling;
    for (position, ended) in [(1, 0), (2, 1), (3, 0)] {
        let next = Play { transactions: Some((10, 0)), ..play(&book) };
        let history = [Assign(0), Arrive(0, position, "slow 2"), Wait(seconds(1)), Lose(0), Wait(seconds(1)), Stop];
        let effects = next.effects(&history).await;
        assert_eq!(of("before", &effects).len(), ended, "{position}: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_the_dead_letter_of_a_submitted_job_is_its_next_run() {
    const LETTER: Letter = (
        5,
        "a",
        &[
            "failure_reason=trap",
            "gristmill-job-id=00000000-0001-7000-8000-000000000000",
            "gristmill-first-place=p/in/0/1",
            "gristmill-replays=0",
        ],
    );
    let book = submitted("a");
    let store: Arc<MemoryStore> = Arc::default();
    let play = Play { letters: vec![LETTER], store: Some(store), ..play(&book) };
    let replay = Replay(0, 9, "a", &["gristmill-replay-of=dead/0/5"]);
    let effects = play.effects(&[Assign(0), replay, Wait(seconds(1)), Stop]).await;
    assert_eq!(of("recorded", &effects), [format!("0s recorded {JOB} Completed")]);
    let record = book.record(JOB);
    assert_eq!((record.run, record.first.unwrap().place.to_string()), (Run(2), "in/0/1".to_owned()));
}
