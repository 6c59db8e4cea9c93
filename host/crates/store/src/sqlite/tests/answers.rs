//! Answers that any job may reuse, on a real file.

use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::model::ChatResponse;
use gristmill_core::ports::{Answers, KeepOne, Kept};

use super::{Harness, every_kind, job, key, text};
use crate::Settings;
use crate::Sqlite;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn answer(text: &str) -> ChatResponse {
    let Some(Kept::Answer(answer)) = every_kind().into_iter().next() else { panic!("the first kind is an answer") };
    ChatResponse { text: text.into(), ..answer }
}

/// Writes something else, as often as a sweep may need: deletion happens along with writes.
async fn sweep(store: &Sqlite) {
    for round in 0..20 {
        store.keep(&job(1_000_000), key(0), &text(&round.to_string())).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_is_found_until_its_time_is_over_also_after_reopening() {
    let harness = Harness::new();
    let store = harness.open();
    store.keep_answer(key(1), &answer("one"), DAY).await.unwrap();
    store.keep_answer(key(2), &answer("two"), DAY * 30).await.unwrap();
    assert_eq!(store.find_answer(key(1)).await.unwrap(), Some(answer("one")));
    assert_eq!(store.find_answer(key(3)).await.unwrap(), None);
    drop(store);
    let store = harness.open();
    harness.pass(DAY - Duration::from_millis(1));
    assert_eq!(store.find_answer(key(1)).await.unwrap(), Some(answer("one")));
    harness.pass(Duration::from_millis(1));
    assert_eq!(store.find_answer(key(1)).await.unwrap(), None, "to the millisecond, before any sweep");
    sweep(&store).await;
    assert_eq!(harness.count("answer"), 1, "and it is deleted");
    assert_eq!(store.find_answer(key(2)).await.unwrap(), Some(answer("two")), "the retention of jobs is another one");
}

#[tokio::test]
async fn the_last_answer_counts() {
    let harness = Harness::new();
    let store = harness.open();
    store.keep_answer(key(1), &answer("one"), DAY).await.unwrap();
    store.keep_answer(key(1), &answer("two"), DAY * 2).await.unwrap();
    harness.pass(DAY);
    assert_eq!(store.find_answer(key(1)).await.unwrap(), Some(answer("two")));
}

#[tokio::test]
async fn answers_never_fill_the_file_and_the_oldest_give_way() {
    let harness = Harness::new();
    let settings = Settings { max_size: 8 << 20, max_answers: 1 << 20, ..harness.settings() };
    let store = Sqlite::open(settings).unwrap();
    let large = answer(&"x".repeat(50_000));
    for round in 0..200_u8 {
        store.keep_answer(key(round), &large, DAY + Duration::from_secs(round.into())).await.unwrap();
        assert!(harness.count("answer") < 30, "in round {round}");
    }
    sweep(&store).await;
    let found = join_all((0..200_u8).map(|round| store.find_answer(key(round)))).await;
    let found: Vec<bool> = found.into_iter().map(|found| found.unwrap().is_some()).collect();
    let first = found.iter().position(|found| *found).unwrap();
    assert!(found[first..].iter().all(|found| *found), "the newest stay");
    assert!((15..=21).contains(&(200 - first)), "{} answers of 50 kB in 1 MiB", 200 - first);
}

#[tokio::test]
async fn an_answer_of_another_version_is_as_if_not_kept() {
    let harness = Harness::new();
    let store = harness.open();
    store.keep_answer(key(1), &answer("one"), DAY).await.unwrap();
    let other = rusqlite::Connection::open(harness.file()).unwrap();
    other.execute("UPDATE answer SET value = x'ff00'", []).unwrap();
    assert_eq!(store.find_answer(key(1)).await.unwrap(), None);
}
