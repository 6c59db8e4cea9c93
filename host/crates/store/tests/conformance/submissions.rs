//! Jobs that are asked for, once.

use std::sync::Arc;

use futures_util::future::join_all;
use gristmill_core::model::{IdempotencyKey, JobFilter, JobQuery, Once, Owner, Submission, Submitted};
use gristmill_core::ports::Wanted;

use super::records::submission;
use super::world::World;

fn with_key(number: u32, key: &str, request: u8) -> Submission {
    let once = Once { key: IdempotencyKey(key.into()), request: [request; 32] };
    Submission { once: Some(once), ..submission(number) }
}

pub(super) async fn of_many_callers_with_one_key_one_is_the_first(world: &World) {
    let hosts = [world.records().await, world.records().await];
    let tasks = (0..50_u32).map(|number| {
        let host = Arc::clone(&hosts[usize::try_from(number % 2).unwrap()]);
        tokio::spawn(async move { host.submit(vec![with_key(number, "k", 1)]).await.unwrap().remove(0) })
    });
    let submitted: Vec<Submitted> = join_all(tasks.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect();
    let first = submitted.iter().position(|submitted| *submitted == Submitted::New).expect("one is the first");
    let before = Submitted::Before { job: submission(u32::try_from(first).unwrap()).job, is_published: false };
    assert_eq!(submitted.iter().filter(|submitted| **submitted == before).count(), 49, "{submitted:?}");
    let all = JobQuery { filter: JobFilter::default(), after: None, most: 100 };
    assert_eq!(hosts[0].list(&all).await.unwrap().len(), 1, "and there is one job");
    assert_eq!(hosts[1].submit(vec![with_key(60, "k", 2)]).await.unwrap(), [Submitted::Conflict]);
    assert_eq!(hosts[1].submit(vec![with_key(60, "l", 2)]).await.unwrap(), [Submitted::New]);
}

pub(super) async fn a_batch_is_written_whole_or_not_at_all(world: &World) {
    let store = world.records().await;
    let batch: Vec<Submission> = std::iter::once(with_key(0, "k", 1)).chain((1..200).map(submission)).collect();
    assert_eq!(store.submit(batch.clone()).await.unwrap(), vec![Submitted::New; 200]);
    let again: Vec<Submission> =
        std::iter::once(with_key(1_000, "k", 1)).chain((1_001..1_200).map(submission)).collect();
    let before = Submitted::Before { job: batch[0].job.clone(), is_published: false };
    // Only the first has a key by which it is known again.
    let known = std::iter::once(before).chain(vec![Submitted::Forgotten; 199]);
    assert_eq!(store.submit(again).await.unwrap(), known.collect::<Vec<_>>());
    let other = vec![submission(2_000), with_key(2_001, "k", 2)];
    assert_eq!(store.submit(other).await.unwrap(), [Submitted::Conflict, Submitted::Conflict]);
    for number in [1_000, 1_001, 1_199, 2_000, 2_001] {
        assert_eq!(store.find(&submission(number).job, Wanted::Record).await.unwrap(), None, "{number}");
    }
}

pub(super) async fn keys_belong_to_their_owner(world: &World) {
    let store = world.records().await;
    let owner = |subject: &str| Some(Owner { tenant: "t".into(), subject: subject.into() });
    for (number, owner) in (0..).zip([None, owner("ann"), owner("bob")]) {
        let submission = Submission { owner, ..with_key(number, "k", u8::try_from(number).unwrap()) };
        assert_eq!(store.submit(vec![submission]).await.unwrap(), [Submitted::New]);
    }
}
