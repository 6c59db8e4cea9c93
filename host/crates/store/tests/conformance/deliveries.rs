//! Webhooks that are to be sent.

use std::time::{Duration, Instant};

use gristmill_core::model::{Act, Acted, Ended, EventDigest, Run, Submission, Timestamp};
use gristmill_core::ports::{Delivery, Tried};

use super::records::{end, submission};
use super::world::{Records, World};

/// Long enough for a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(120);
const MINUTE: Duration = Duration::from_secs(60);
/// After everything that these tests write.
const LATER: Timestamp = Timestamp(3_000_000_000_000);

async fn over(store: &dyn Records, numbers: std::ops::Range<u32>) {
    let webhook = Some("https://example.com/hook".to_owned());
    let submissions = numbers.clone().map(|number| Submission { webhook: webhook.clone(), ..submission(number) });
    store.submit(submissions.collect()).await.unwrap();
    let notes: Vec<_> = numbers.map(|number| end(&submission(number).job, number.into(), Ended::Completed)).collect();
    store.note(&notes).await.unwrap();
}

async fn take(store: &dyn Records, lease: Duration) -> Vec<Delivery> {
    let taken = store.due(LATER, lease, 100).await.unwrap();
    taken
        .into_iter()
        .map(|(delivery, record)| {
            assert_eq!(delivery.job, record.job);
            delivery
        })
        .collect()
}

pub(super) async fn a_webhook_is_due_when_its_job_is_over_and_taken_by_one_host(world: &World) {
    let (one, two) = (world.records().await, world.records().await);
    over(&*one, 0..50).await;
    // Without a webhook, and over a second time.
    one.submit(vec![submission(99)]).await.unwrap();
    one.note(&[end(&submission(99).job, 99, Ended::Failed)]).await.unwrap();
    two.note(&[end(&submission(7).job, 7, Ended::Failed)]).await.unwrap();
    assert_eq!(one.due(Timestamp(5), MINUTE, 100).await.unwrap(), [], "not before its time");
    let mut taken = Vec::new();
    for round in 0..20 {
        let host = if round % 2 == 0 { &one } else { &two };
        let some = host.due(LATER, MINUTE, 3).await.unwrap();
        assert!(some.len() <= 3);
        taken.extend(some.into_iter().map(|(delivery, _)| delivery.job));
    }
    taken.sort();
    let mut expected: Vec<_> = (0..50).map(|number| submission(number).job).collect();
    expected.sort();
    assert_eq!(taken, expected, "each once");
}

pub(super) async fn what_a_host_has_taken_and_dropped_comes_back(world: &World) {
    let (one, two) = (world.records().await, world.records().await);
    over(&*one, 0..1).await;
    // Servers lease by their own clock, a file by that of its settings, memory by that of the caller.
    let lease = Duration::from_secs(3);
    assert_eq!(take(&*one, lease).await.len(), 1);
    drop(one);
    let (deadline, mut now) = (Instant::now() + PATIENCE, LATER);
    assert_eq!(two.due(now, lease, 100).await.unwrap(), []);
    while two.due(now, lease, 100).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "it does not come back");
        world.pass(Duration::from_millis(500));
        now.0 += 500;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn a_delivery_can_be_made_again(world: &World) {
    let store = world.records().await;
    over(&*store, 0..2).await;
    let job = submission(0).job;
    let failed = Tried { at: Timestamp(5), status: Some(500), error: Some("a\0b".into()) };
    assert_eq!(take(&*store, MINUTE).await.len(), 2);
    let next = Timestamp(LATER.0 + 10);
    store.tried(&job, Run(1), &failed, Some(next)).await.unwrap();
    assert_eq!(take(&*store, MINUTE).await, [], "not before its next time");
    let taken = store.due(next, MINUTE, 100).await.unwrap();
    assert_eq!(taken.len(), 1);
    let delivery = &taken[0].0;
    assert_eq!((delivery.tries, delivery.last.as_ref().and_then(|tried| tried.status)), (1, Some(500)));
    let good = Tried { at: Timestamp(6), status: Some(204), error: None };
    store.tried(&job, Run(1), &good, None).await.unwrap();
    let of = store.of(&job).await.unwrap();
    assert_eq!((of.len(), of[0].tries, of[0].last.clone(), of[0].due), (1, 2, Some(good), None));

    // Of the last run.
    let retry = Act::Retry { from_stage: None, event: EventDigest([3; 32]) };
    assert_eq!(store.ask(&job, &retry, Timestamp(9)).await.unwrap(), Acted::Done(Run(2)));
    let second = gristmill_core::model::JobNote { run: Run(2), ..end(&job, 0, Ended::Failed) };
    store.note(&[second]).await.unwrap();
    assert_eq!(take(&*store, MINUTE).await.into_iter().map(|delivery| delivery.run).collect::<Vec<_>>(), [Run(2)]);
    assert!(store.again(&job, LATER).await.unwrap());
    assert_eq!(take(&*store, MINUTE).await.into_iter().map(|delivery| delivery.run).collect::<Vec<_>>(), [Run(2)]);
    assert_eq!(store.of(&job).await.unwrap().iter().map(|delivery| delivery.run).collect::<Vec<_>>(), [Run(1), Run(2)]);
    assert!(!store.again(&submission(9).job, LATER).await.unwrap());
}
