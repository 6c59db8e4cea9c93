//! Records of jobs that are too old.

use std::time::Duration;

use gristmill_core::model::{
    Act, Attribute, BatchId, Ended, IdempotencyKey, JobFilter, JobQuery, Once, Submission, Submitted, Summary,
    Timestamp,
};
use gristmill_core::ports::{ActNumber, Wanted};

use super::records::{end, note, submission};
use super::world::{World, until};

fn with_everything(number: u32) -> Submission {
    Submission {
        once: Some(Once { key: IdempotencyKey(format!("k{number}")), request: [1; 32] }),
        batch: Some(BatchId("b".into())),
        attributes: vec![Attribute { name: "a".into(), value: "b".into() }],
        webhook: Some("https://example.com".into()),
        ..submission(number)
    }
}

pub(super) async fn records_go_with_everything_that_belongs_to_them(world: &World) {
    let world = World { keep_ended: Duration::from_secs(2), ..world.again() };
    let (store, records) = (world.open().await, world.records().await);
    records.submit(vec![with_everything(1)]).await.unwrap();
    records.submit(vec![with_everything(2)]).await.unwrap();
    let (over, other) = (submission(1).job, submission(2).job);
    records.note(&[end(&over, 1, Ended::Completed), note(&other, 2, 5)]).await.unwrap();
    records.ask(&other, &Act::Cancel, Timestamp(9)).await.unwrap();
    until(&world, &*store, "the record is gone", async || {
        records.find(&over, Wanted::History).await.unwrap().is_none()
            && records.summary(&JobFilter { batch: Some(BatchId("b".into())), ..JobFilter::default() }).await.unwrap()
                == Summary { by_status: [0, 0, 1, 0, 0, 0, 0], percent: 5 }
    })
    .await;
    assert_eq!(records.of(&over).await.unwrap(), []);
    assert_eq!(records.due(Timestamp(i64::MAX / 2), Duration::from_secs(1), 10).await.unwrap(), []);
    for filter in [
        JobFilter::default(),
        JobFilter { attributes: with_everything(1).attributes, ..JobFilter::default() },
        JobFilter { batch: Some(BatchId("b".into())), ..JobFilter::default() },
    ] {
        let listed = records.list(&JobQuery { filter, after: None, most: 10 }).await.unwrap();
        assert_eq!(listed.into_iter().map(|record| record.job).collect::<Vec<_>>(), std::slice::from_ref(&other));
    }
    assert_eq!(records.asked(ActNumber::default()).await.unwrap().len(), 1);
    // The key can come again, as another job; that of the other one is still taken.
    let again = |number, key: &str| {
        let once = Once { key: IdempotencyKey(key.into()), request: [2; 32] };
        vec![Submission { once: Some(once), ..submission(number) }]
    };
    assert_eq!(records.submit(again(3, "k1")).await.unwrap(), [Submitted::New]);
    assert_eq!(records.submit(again(4, "k2")).await.unwrap(), [Submitted::Conflict]);
}

pub(super) async fn an_unfinished_record_stays_longer(world: &World) {
    let world = World { keep_ended: Duration::from_secs(1), keep_unfinished: Duration::from_secs(4), ..world.again() };
    let (store, records) = (world.open().await, world.records().await);
    records.submit(vec![submission(1), submission(2)]).await.unwrap();
    records.note(&[end(&submission(2).job, 2, Ended::Failed)]).await.unwrap();
    let is_gone = async |number: u32| records.find(&submission(number).job, Wanted::Record).await.unwrap().is_none();
    let mut was_there = false;
    until(&world, &*store, "both are gone", async || {
        let (unfinished, over) = (is_gone(1).await, is_gone(2).await);
        was_there |= over && !unfinished;
        unfinished && over
    })
    .await;
    assert!(was_there, "its event may still come");
}
