//! The state store when the process that writes to it is killed, or its disk is full: everything acknowledged is kept.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]
#![allow(clippy::print_stdout, reason = "a writer in a process of its own is heard by what it prints")]

mod figures;
mod place;
mod submitter;
mod writer;

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

use gristmill_core::model::{EventId, JobId, Outcome, Output, Partition, Position};
use gristmill_core::ports::{Kept, Key};
use gristmill_test_servers::{Postgres, Redis};

use place::Place;
use writer::Writer;

fn job(position: u64) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position.into()) })
}

fn key(number: u64) -> Key {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Key(key)
}

/// The value kept under a number: this many bytes, different for each number.
fn kept(number: u64, bytes: usize) -> Kept {
    let payload: Vec<u8> = (0..bytes as u64).map(|at| (number.wrapping_mul(31).wrapping_add(at) % 251) as u8).collect();
    let output = Output {
        payload: payload.into(),
        content_type: None,
        key: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        branch: Some(number.to_string()),
    };
    Kept::Outcome(Outcome::Emit(vec![output]))
}

/// The lines of a writer from now until it ends, without an incomplete last line.
fn lines(writer: &mut Child) -> impl Iterator<Item = String> + use<> {
    let mut output = BufReader::new(writer.stdout.take().unwrap());
    std::iter::from_fn(move || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line.ends_with('\n').then(|| line.trim_end().to_owned())
    })
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("kept ").map(|number| number.parse().unwrap())
}

async fn expect_all(place: &Place, numbers: &[u64], bytes: usize) {
    let store = place.open().await;
    for number in numbers {
        let found = store.recall(&job(number / 4), key(*number)).await.unwrap();
        assert!(found == Some(kept(*number, bytes)), "{number} was acknowledged and is lost or torn");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    is_killed(&Place::Folder(folder.path().into()), 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_postgres_acknowledged() {
    is_killed(&Place::Server(Postgres::shared().await.database().await), 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_redis_acknowledged() {
    let redis = Redis::start().await;
    is_killed(&Place::Server(redis.url().to_owned()), 20).await;
}

/// Kills a process that writes there so often.
async fn is_killed(place: &Place, kills: u64) {
    const BYTES: usize = 700;
    let mut all = Vec::new();
    for round in 0..kills {
        let mut writer = Writer { first: round * 1_000_000, bytes: BYTES }.start(place, None);
        let mut lines = lines(&mut writer);
        let wanted = fastrand::usize(0..200);
        let mut numbers = Vec::new();
        if wanted == 0 {
            // Kill it at any point during startup, also while it opens the file.
            std::thread::sleep(Duration::from_micros(fastrand::u64(0..30_000)));
        }
        while numbers.len() < wanted {
            numbers.extend(acknowledged(&lines.next().expect("the writer ended on its own")));
        }
        writer.kill().unwrap();
        numbers.extend(lines.filter_map(|line| acknowledged(&line)));
        writer.wait().unwrap();
        expect_all(place, &numbers, BYTES).await;
        all.extend(numbers);
    }
    expect_all(place, &all, BYTES).await;
    assert!(all.len() as u64 > kills * 20, "only {} were acknowledged in all", all.len());
}

/// The log reaches the smaller limit; the file reaches the larger one, while the log is checkpointed into it.
#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_that_was_acknowledged() {
    const BYTES: usize = 10_000;
    for most in [1 << 20, 8 << 20] {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().into());
        let mut writer = Writer { first: 0, bytes: BYTES }.start(&place, Some(most));
        let lines: Vec<String> = lines(&mut writer).collect();
        assert!(writer.wait().unwrap().success());
        let numbers: Vec<u64> = lines.iter().filter_map(|line| acknowledged(line)).collect();
        assert!(numbers.len() > 20, "only {} were kept in {most} bytes", numbers.len());
        let told: Vec<&String> = lines.iter().filter(|line| line.starts_with("failed ")).collect();
        assert!(!told.is_empty(), "no failure was reported");
        for told in told {
            assert!(told.contains("p.sqlite") && told.contains("start the pipeline again"), "{told}");
        }
        expect_all(&place, &numbers, BYTES).await;
    }
}
