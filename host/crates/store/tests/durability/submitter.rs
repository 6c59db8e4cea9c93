//! A process that submits batches of jobs until it is killed: each of them is there whole or not at all, and those that were
//! answered are there. This test's own executable, switched by its environment.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use gristmill_core::model::{
    BatchId, EventDigest, IdempotencyKey, JobFilter, JobId, Once, Submission, Submitted, Timestamp,
};
use gristmill_core::ports::JobBook;
use gristmill_test_servers::{Postgres, Redis};

use super::place::Place;

const ROUND: &str = "GRISTMILL_TEST_STORE_ROUND";
const JOBS: u32 = 50;
/// Batches that are submitted at once.
const SUBMITTERS: u32 = 4;

fn batch(round: u32, number: u32) -> BatchId {
    BatchId(format!("{round}-{number}"))
}

/// The submissions of a batch. Each call makes other jobs, under the same key.
fn submissions(round: u32, number: u32) -> Vec<Submission> {
    let one = |job: u32| Submission {
        job: JobId::submitted(1_764_150_000_000, &fastrand::u128(..).to_be_bytes()[..10].try_into().unwrap()),
        owner: None,
        batch: Some(batch(round, number)),
        once: (job == 0).then(|| Once { key: IdempotencyKey(format!("{round}-{number}")), request: [1; 32] }),
        event: EventDigest([7; 32]),
        attributes: Vec::new(),
        webhook: None,
        at: Timestamp(1_764_150_000_000),
    };
    (0..JOBS).map(one).collect()
}

/// Not a test in itself: without the environment it returns at once.
#[tokio::test(flavor = "multi_thread")]
async fn submits_until_it_is_ended() {
    let (Some(place), Ok(round)) = (Place::told(), std::env::var(ROUND)) else { return };
    let round: u32 = round.parse().unwrap();
    println!();
    let book = place.open_book().await;
    let submitters = (0..SUBMITTERS).map(|submitter| {
        let book = std::sync::Arc::clone(&book);
        tokio::spawn(async move {
            for number in (submitter..).step_by(SUBMITTERS as usize) {
                book.submit(submissions(round, number)).await.unwrap();
                println!("submitted {number}");
            }
        })
    });
    for submitter in submitters.collect::<Vec<_>>() {
        submitter.await.unwrap();
    }
}

async fn jobs_of(book: &dyn JobBook, round: u32, number: u32) -> u64 {
    let filter = JobFilter { batch: Some(batch(round, number)), ..JobFilter::default() };
    book.summary(&filter).await.unwrap().by_status.iter().sum()
}

async fn is_killed(place: &Place, rounds: u32) {
    for round in 0..rounds {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "submitter::submits_until_it_is_ended", "--nocapture", "--test-threads=1"]);
        place.tell(&mut command);
        command.env(ROUND, round.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let number = |line: std::io::Result<String>| line.ok()?.strip_prefix("submitted ")?.parse::<u32>().ok();
        let mut answered: Vec<u32> = Vec::new();
        let wanted = fastrand::usize(1..12);
        while answered.len() < wanted {
            answered.extend(number(lines.next().expect("the process ended on its own")));
        }
        process.kill().unwrap();
        answered.extend(lines.filter_map(number));
        process.wait().unwrap();

        let book = place.open_book().await;
        for number in &answered {
            assert_eq!(jobs_of(&*book, round, *number).await, u64::from(JOBS), "{number} was answered");
        }
        let last = answered.iter().max().unwrap();
        for number in 0..last + 2 * SUBMITTERS {
            let there = jobs_of(&*book, round, number).await;
            assert!(there == 0 || there == u64::from(JOBS), "{there} of batch {number}");
            // Whoever has heard no answer asks again, with the same key.
            let submitted = book.submit(submissions(round, number)).await.unwrap();
            let is_new = submitted.iter().all(|submitted| *submitted == Submitted::New);
            assert_eq!(is_new, there == 0, "{submitted:?}");
            assert_eq!(jobs_of(&*book, round, number).await, u64::from(JOBS), "one batch of {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_has_submitted_each_batch_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    is_killed(&Place::Folder(folder.path().into()), 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_has_submitted_each_batch_to_postgres_whole_or_not_at_all() {
    is_killed(&Place::Server(Postgres::shared().await.database().await), 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_has_submitted_each_batch_to_redis_whole_or_not_at_all() {
    let redis = Redis::start().await;
    is_killed(&Place::Server(redis.url().to_owned()), 8).await;
}
