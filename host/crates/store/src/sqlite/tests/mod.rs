//! The store on a real file: what it keeps, for how long, and how it fails.

mod answers;
mod checkpoints;
mod documents;
mod spending;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::Sqlite;
use crate::Settings;
use crate::samples::every_kind;
use gristmill_core::model::{ChatResponse, EventId, JobId, Outcome, Partition, Position, Timestamp, Usage};
use gristmill_core::ports::{JobState, KeepOne, Kept, Key, Store, StoreError};

/// A folder for stores, and their clock.
struct Harness {
    folder: TempDir,
    now: Arc<AtomicI64>,
}

impl Harness {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), now: Arc::new(AtomicI64::new(1_000_000_000_000)) }
    }

    fn settings(&self) -> Settings {
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || Timestamp(now.load(Ordering::SeqCst)));
        Settings::new(self.folder.path().join("state"), "p", clock)
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(self.settings()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("state/p.sqlite")
    }

    fn refusal(&self) -> String {
        Sqlite::open(self.settings()).err().unwrap().to_string()
    }

    fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn count(&self, table: &str) -> u64 {
        let connection = Connection::open(self.file()).unwrap();
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }
}

fn job(position: u128) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position) })
}

fn key(byte: u8) -> Key {
    Key([byte; 32])
}

fn text(text: &str) -> Kept {
    Kept::Outcome(Outcome::Drop(text.into()))
}

/// Waits until this job is deleted, and writes something else meanwhile: deletion happens along with writes.
async fn gone(store: &Sqlite, old: &JobId) {
    for round in 0..2_000 {
        if store.recall(old, key(0)).await.unwrap().is_none() {
            return;
        }
        store.keep(&job(1_000_000), key(0), &text(&round.to_string())).await.unwrap();
    }
    panic!("{old} is still kept");
}

#[tokio::test]
async fn what_is_kept_is_there_after_reopening() {
    let harness = Harness::new();
    let store = harness.open();
    for (index, kept) in every_kind().into_iter().enumerate() {
        store.keep(&job(7), key(index as u8), &kept).await.unwrap();
    }
    store.keep(&job(8), key(0), &text("other")).await.unwrap();
    drop(store);
    assert!(!harness.file().with_extension("sqlite-wal").exists(), "a closed store is one file");
    let store = harness.open();
    for (index, kept) in every_kind().into_iter().enumerate() {
        assert_eq!(store.recall(&job(7), key(index as u8)).await.unwrap(), Some(kept));
    }
    assert_eq!(store.recall(&job(8), key(0)).await.unwrap(), Some(text("other")), "each job has its own keys");
    assert_eq!(store.recall(&job(8), key(1)).await.unwrap(), None);
    assert_eq!(store.recall(&job(9), key(0)).await.unwrap(), None);
}

#[tokio::test]
async fn two_hosts_that_keep_the_same_thing_agree_on_the_first() {
    let harness = Harness::new();
    let (one, two) = (harness.open(), harness.open());
    assert_eq!(one.keep(&job(1), key(0), &text("one")).await.unwrap(), None);
    assert_eq!(two.keep(&job(1), key(0), &text("two")).await.unwrap(), Some(text("one")));
    for store in [one, two] {
        assert_eq!(store.recall(&job(1), key(0)).await.unwrap(), Some(text("one")));
    }
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_a_failure_that_passes() {
    let harness = Harness::new();
    let store = harness.open();
    store.keep(&job(1), key(0), &text("one")).await.unwrap();
    let other = Connection::open(harness.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let held = store.keep(&job(1), key(1), &text("two")).await.unwrap_err();
    assert!(matches!(&held, StoreError::Transient { reason, .. } if reason.contains("another process")), "{held:?}");
    assert_eq!(store.recall(&job(1), key(1)).await.unwrap(), None, "nothing was written");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.keep(&job(1), key(1), &text("two")).await.unwrap(), None);
    assert_eq!(store.recall(&job(1), key(1)).await.unwrap(), Some(text("two")));
}

#[tokio::test]
async fn what_another_version_kept_is_as_if_not_kept() {
    let harness = Harness::new();
    let store = harness.open();
    store.keep(&job(1), key(0), &text("one")).await.unwrap();
    let other = Connection::open(harness.file()).unwrap();
    other.execute("UPDATE kept SET value = x'ff00'", []).unwrap();
    assert_eq!(store.recall(&job(1), key(0)).await.unwrap(), None);
    store.keep(&job(1), key(0), &text("two")).await.unwrap();
    assert_eq!(store.recall(&job(1), key(0)).await.unwrap(), Some(text("two")), "it can be kept again");
}

#[tokio::test]
async fn what_comes_while_the_disk_is_busy_shares_a_transaction() {
    let harness = Harness::new();
    let store = harness.open();
    store.keep(&job(0), key(0), &text("first")).await.unwrap();
    let before = commits(&harness);
    let other = Connection::open(harness.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let jobs: Vec<JobId> = (1..=500).map(job).collect();
    let x = text("x");
    let keeps = join_all(jobs.iter().map(|job| store.keep(job, key(0), &x)));
    let release = async {
        // Each yield lets some calls send their request; after a hundred, all have.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        other.execute_batch("ROLLBACK").unwrap();
    };
    let (kept, ()) = tokio::join!(keeps, release);
    assert!(kept.into_iter().all(|kept| kept.is_ok()));
    let commits = commits(&harness) - before;
    assert!((1..=3).contains(&commits), "{commits} transactions");
}

/// Transactions in the log: a frame's header is 24 bytes, and its second number is not 0 if the frame ends one.
fn commits(harness: &Harness) -> usize {
    let log = std::fs::read(harness.file().with_extension("sqlite-wal")).unwrap();
    log[32..].chunks(24 + 4096).filter(|frame| frame.len() > 8 && frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn two_processes_share_one_file() {
    let harness = Harness::new();
    let (settings, others) = (harness.settings(), harness.settings());
    let opened = std::thread::spawn(move || Sqlite::open(others).unwrap());
    let one = Sqlite::open(settings).unwrap();
    let two = opened.join().unwrap();
    let jobs: Vec<JobId> = (0..400).map(job).collect();
    let x = text("x");
    let left = jobs.iter().step_by(2).map(|job| one.keep(job, key(0), &x));
    let right = jobs.iter().skip(1).step_by(2).map(|job| two.keep(job, key(0), &x));
    let (left, right) = tokio::join!(join_all(left), join_all(right));
    assert!(left.into_iter().chain(right).all(|kept| kept.is_ok()));
    for job in &jobs {
        assert!(one.recall(job, key(0)).await.unwrap().is_some() && two.recall(job, key(0)).await.unwrap().is_some());
    }
    drop(one);
    two.keep(&job(1), key(1), &text("after the other closed")).await.unwrap();
}

#[tokio::test]
async fn a_dropped_store_writes_what_was_asked_for() {
    let harness = Harness::new();
    let store = harness.open();
    let jobs: Vec<JobId> = (0..100).map(job).collect();
    {
        let x = text("x");
        let mut keeps = Box::pin(join_all(jobs.iter().map(|job| store.keep(job, key(0), &x))));
        tokio::select! {
            biased;
            _ = &mut keeps => {}
            () = std::future::ready(()) => {}
        }
    }
    store.ended(&job(5), JobState::Emitted).unwrap();
    drop(store);
    assert_eq!((harness.count("kept"), harness.count("job WHERE ended IS NOT NULL")), (100, 1));
}

#[tokio::test]
async fn an_ended_job_is_deleted_when_its_time_is_over() {
    let harness = Harness::new();
    let store = harness.open();
    for position in [1, 2, 3] {
        store.keep(&job(position), key(0), &text("x")).await.unwrap();
    }
    store.ended(&job(1), JobState::DeadLettered).unwrap();
    store.ended(&job(3), JobState::Emitted).unwrap();
    store.ended(&job(4), JobState::Dropped).unwrap();
    // The ends are written with the next value.
    store.keep(&job(9), key(0), &text("x")).await.unwrap();
    assert_eq!((harness.count("job"), harness.count("job WHERE ended IS NOT NULL")), (4, 2), "nothing kept, no row");
    harness.pass(Duration::from_secs(23 * 60 * 60));
    // A replayed job is unfinished again.
    store.keep(&job(3), key(1), &text("y")).await.unwrap();
    assert!(store.recall(&job(1), key(0)).await.unwrap().is_some(), "not yet");
    harness.pass(Duration::from_secs(2 * 60 * 60));
    gone(&store, &job(1)).await;
    assert!(store.recall(&job(2), key(0)).await.unwrap().is_some(), "unfinished");
    assert!(store.recall(&job(3), key(0)).await.unwrap().is_some(), "unfinished again");
    harness.pass(Duration::from_secs(6 * 24 * 60 * 60));
    gone(&store, &job(2)).await;
    assert!(store.recall(&job(3), key(0)).await.unwrap().is_some(), "it was touched a day later");
}

#[tokio::test]
async fn much_is_deleted_in_steps_and_the_file_gets_smaller() {
    let harness = Harness::new();
    let store = harness.open();
    let large = "x".repeat(20_000);
    for position in 0..8 {
        let job = job(position);
        let kept_large = text(&large);
        join_all((0..200).map(|byte| store.keep(&job, key(byte), &kept_large))).await;
        store.ended(&job, JobState::Emitted).unwrap();
    }
    // The ends are written with the next value.
    store.keep(&job(1_000_000), key(0), &text("x")).await.unwrap();
    let before = std::fs::metadata(harness.file()).unwrap().len();
    harness.pass(Duration::from_secs(25 * 60 * 60));
    gone(&store, &job(7)).await;
    // The sweep ends when nothing is left to give back.
    for round in 0..2_000 {
        if std::fs::metadata(harness.file()).unwrap().len() < before / 2 {
            break;
        }
        assert!(round < 1_999, "the file did not shrink");
        store.keep(&job(1_000_000), key(0), &text(&large)).await.unwrap();
    }
    assert_eq!(harness.count("job"), 1);
}

#[tokio::test]
async fn a_full_store_is_broken_for_good_and_says_what_to_do() {
    let harness = Harness::new();
    let store = Sqlite::open(Settings { max_size: 1 << 20, ..harness.settings() }).unwrap();
    let large = "x".repeat(50_000);
    let mut kept = 0;
    let failure = loop {
        match store.keep(&job(kept), key(0), &text(&large)).await {
            Ok(_) => kept += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!((10..=20).contains(&kept), "{kept} of 50 kB in 1 MiB");
    for part in ["p.sqlite does not work: it is full", "1048576 bytes (store.max_size)", "raise", "start the pipeline"]
    {
        assert!(failure.contains(part), "{failure}");
    }
    let again =
        |error: gristmill_core::ports::StoreError| assert_eq!(error.to_string(), failure, "the first reason stays");
    again(store.keep(&job(0), key(1), &text("small")).await.unwrap_err());
    again(store.recall(&job(0), key(0)).await.unwrap_err());
    again(store.ended(&job(0), JobState::Emitted).unwrap_err());
    drop(store);
    let store = harness.open();
    for position in 0..kept {
        assert_eq!(store.recall(&job(position), key(0)).await.unwrap(), Some(text(&large)), "it was acknowledged");
    }
    assert_eq!(store.recall(&job(kept), key(0)).await.unwrap(), None, "it was not");
    store.keep(&job(kept), key(0), &text(&large)).await.unwrap();
}

#[tokio::test]
async fn files_of_others_and_of_newer_versions_are_refused_and_left_alone() {
    let harness = Harness::new();
    drop(harness.open());
    let connection = Connection::open(harness.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(harness.refusal().contains("a newer Gristmill wrote it (version 99, this one knows 4)"));
    connection.execute_batch("PRAGMA application_id = 7; PRAGMA user_version = 1").unwrap();
    assert!(harness.refusal().contains("another application (id 7)"));
    drop(connection);

    for file in
        [harness.file(), harness.file().with_extension("sqlite-wal"), harness.file().with_extension("sqlite-shm")]
    {
        let _ = std::fs::remove_file(file);
    }
    let foreign = Connection::open(harness.file()).unwrap();
    foreign.execute_batch("CREATE TABLE job (mine TEXT)").unwrap();
    drop(foreign);
    let before = std::fs::read(harness.file()).unwrap();
    assert!(harness.refusal().contains("another application (id 0)"));
    assert_eq!(std::fs::read(harness.file()).unwrap(), before);

    std::fs::write(harness.file(), "no database at all ".repeat(100)).unwrap();
    assert!(harness.refusal().contains("damaged, or no such file"));
}

#[tokio::test]
async fn folder_and_file_are_for_this_user_alone() {
    let harness = Harness::new();
    let _store = harness.open();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(harness.folder.path().join("state")), mode(harness.file())), (0o700, 0o600));
    assert_eq!(mode(harness.file().with_extension("sqlite-wal")), 0o600);
}

#[test]
fn a_folder_that_cannot_be_made_and_a_name_that_leads_elsewhere_are_told() {
    let harness = Harness::new();
    std::fs::write(harness.folder.path().join("state"), "a file").unwrap();
    assert!(harness.refusal().contains("store.folder"));
    for pipeline in ["", "../p", ".p", "a b"] {
        let settings = Settings { pipeline: pipeline.into(), ..harness.settings() };
        assert!(Sqlite::open(settings).err().unwrap().to_string().contains("cannot be a file's name"));
    }
}
