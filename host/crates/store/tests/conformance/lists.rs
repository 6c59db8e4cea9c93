//! Lists of jobs.

use std::time::{Duration, Instant};

use gristmill_core::model::{
    Attribute, BatchId, Cursor, Ended, JobFilter, JobId, JobQuery, JobRecord, Owner, Status, Submission, Summary,
    Timestamp,
};

use super::records::{end, note, submission};
use super::world::{Records, World, job};

/// All of them, page by page.
async fn all(store: &dyn Records, filter: &JobFilter, most: u32) -> Vec<JobRecord> {
    let mut query = JobQuery { filter: filter.clone(), after: None, most };
    let mut found: Vec<JobRecord> = Vec::new();
    loop {
        let page = store.list(&query).await.unwrap();
        let Some(last) = page.last() else { return found };
        query.after = Some(Cursor { created: last.created, job: last.job.clone() });
        found.extend(page);
    }
}

fn jobs(records: &[JobRecord]) -> Vec<JobId> {
    records.iter().map(|record| record.job.clone()).collect()
}

pub(super) async fn pages_are_stable_while_jobs_are_added(world: &World) {
    let store = world.records().await;
    // Ten of each millisecond.
    let at = |number: u32| Submission { at: Timestamp(i64::from(number / 10) - 3), ..submission(number) };
    store.submit((0..100).map(at).collect()).await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    for round in 0..20 {
        let query = JobQuery { filter: JobFilter::default(), after, most: 7 };
        let page = store.list(&query).await.unwrap();
        seen.extend(jobs(&page));
        let Some(last) = page.last() else { break };
        after = Some(Cursor { created: last.created, job: last.job.clone() });
        let newer = Submission { at: Timestamp(1_000 + i64::from(round)), ..submission(1_000 + round) };
        store.submit(vec![newer]).await.unwrap();
    }
    let expected: Vec<JobId> = (0..100).rev().map(|number| submission(number).job).collect();
    assert_eq!(seen, expected, "the newest first, those of one millisecond by their ids, downwards");
}

pub(super) async fn a_filter_takes_what_its_rule_takes(world: &World) {
    let store = world.records().await;
    let attribute = |name: &str, value: u32| Attribute { name: name.into(), value: format!("{value}\0") };
    let owner = |number: u32| Owner { tenant: "t".into(), subject: number.to_string() };
    let submissions: Vec<Submission> = (0..60)
        .map(|number| Submission {
            at: Timestamp(i64::from(number / 7)),
            owner: (number % 4 != 0).then(|| owner(number % 4)),
            batch: (number % 3 != 0).then(|| BatchId(format!("b{}", number % 3))),
            attributes: vec![attribute("a", number % 2), attribute("b", number % 5), attribute("a", number % 2)],
            ..submission(number)
        })
        .collect();
    store.submit(submissions.clone()).await.unwrap();
    let mut notes = Vec::new();
    for (number, submission) in (0..).zip(&submissions) {
        match number % 6 {
            0 => {}
            1 => notes.push(end(&submission.job, number, Ended::Completed)),
            2 => notes.push(end(&submission.job, number, Ended::Failed)),
            _ => notes.push(note(&submission.job, number, u8::try_from(number).unwrap())),
        }
    }
    store.note(&notes).await.unwrap();
    store.note(&[note(&job(7), 99, 12)]).await.unwrap();
    let everything = all(&*store, &JobFilter::default(), 1_000).await;
    assert_eq!(everything.len(), 61);
    assert!(everything.is_sorted_by_key(|record| std::cmp::Reverse((record.created, record.job.clone()))));
    let statuses = [vec![], vec![Status::Failed], vec![Status::Running, Status::Completed], vec![Status::Waiting]];
    for statuses in &statuses {
        for owner in [None, Some(owner(1)), Some(owner(9))] {
            for batch in [None, Some(BatchId("b1".into()))] {
                for attributes in [vec![], vec![attribute("a", 1)], vec![attribute("b", 2), attribute("a", 0)]] {
                    let (statuses, owner, batch) = (statuses.clone(), owner.clone(), batch.clone());
                    let filter = JobFilter { statuses, owner, batch, attributes };
                    let expected: Vec<&JobRecord> = everything.iter().filter(|record| filter.takes(record)).collect();
                    let found = all(&*store, &filter, 4).await;
                    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
                    let mut summary = Summary::default();
                    expected.iter().for_each(|record| summary.add(record));
                    assert_eq!(store.summary(&filter).await.unwrap(), summary, "{filter:?}");
                }
            }
        }
    }
}

pub(super) async fn a_large_batch_is_summed_up_at_once(world: &World) {
    const JOBS: u32 = 10_000;
    let store = world.records().await;
    let batch = BatchId("large".into());
    for thousand in 0..JOBS / 1_000 {
        let submissions = (0..1_000)
            .map(|number| Submission { batch: Some(batch.clone()), ..submission(thousand * 1_000 + number) })
            .collect();
        store.submit(submissions).await.unwrap();
    }
    store.note(&[note(&submission(5).job, 1, 40), end(&submission(6).job, 2, Ended::Failed)]).await.unwrap();
    let filter = JobFilter { batch: Some(batch), ..JobFilter::default() };
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        let summary = store.summary(&filter).await.unwrap();
        fastest = fastest.min(begun.elapsed());
        let expected = Summary { by_status: [u64::from(JOBS) - 2, 0, 1, 0, 0, 1, 0], percent: 140 };
        assert_eq!(summary, expected);
    }
    println!("a batch of {JOBS} is summed up in {fastest:?}");
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}
