//! What people ask of jobs.

use std::sync::Arc;

use futures_util::future::join_all;
use gristmill_core::model::{Act, Acted, Claimed, Ended, EventDigest, Phase, Run, Status, Timestamp};
use gristmill_core::ports::ActNumber;

use super::records::{claim, end, note, record, submission};
use super::world::{World, job};

const AT: Timestamp = Timestamp(2_000_000_000_000);

pub(super) async fn hosts_hear_of_each_cancellation_in_order(world: &World) {
    let hosts = [world.records().await, world.records().await];
    let notes: Vec<_> = (0..60).map(|number| note(&job(number), number, 1)).collect();
    hosts[0].note(&notes).await.unwrap();
    let asked = (0..60_u128).map(|number| {
        let host = Arc::clone(&hosts[usize::try_from(number % 2).unwrap()]);
        tokio::spawn(async move { host.ask(&job(number), &Act::Cancel, AT).await.unwrap() })
    });
    let asked = asked.collect::<Vec<_>>();
    // Whoever looks meanwhile, and goes on after what it has seen, misses none.
    let (mut after, mut heard) = (ActNumber::default(), Vec::new());
    let mut are_done = false;
    loop {
        let acts = hosts[1].asked(after).await.unwrap();
        if acts.is_empty() && are_done {
            break;
        }
        are_done = asked.iter().all(tokio::task::JoinHandle::is_finished);
        for act in acts {
            assert!(act.number > after, "in order");
            after = act.number;
            heard.push(act.job);
        }
        tokio::task::yield_now().await;
    }
    for acted in join_all(asked).await {
        assert_eq!(acted.unwrap(), Acted::Done(Run(1)));
    }
    heard.sort();
    let mut all: Vec<_> = (0..60).map(job).collect();
    all.sort();
    assert_eq!(heard, all);
    assert_eq!(hosts[0].ask(&job(99), &Act::Cancel, AT).await.unwrap(), Acted::Unknown);
}

pub(super) async fn an_act_is_forgotten_once_its_job_is_over(world: &World) {
    let store = world.records().await;
    store.submit(vec![submission(1), submission(2)]).await.unwrap();
    for number in [1, 2] {
        store.ask(&submission(number).job, &Act::Cancel, AT).await.unwrap();
    }
    let last = store.asked(ActNumber::default()).await.unwrap().last().unwrap().number;
    // It is over with the claim: nobody has begun it.
    assert_eq!(store.claim(&claim(&submission(1), 7)).await.unwrap(), Claimed::Over);
    store.note(&[end(&submission(2).job, 8, Ended::Completed)]).await.unwrap();
    assert_eq!(store.asked(ActNumber::default()).await.unwrap(), []);
    assert_eq!(Status::of(&record(&*store, &submission(1).job).await), Status::Cancelled);
    assert_eq!(
        store.ask(&submission(1).job, &Act::Cancel, AT).await.unwrap(),
        Acted::Conflict(Phase::Ended),
        "it is over"
    );
    // Numbers are not used again.
    store.note(&[note(&job(1), 1, 1)]).await.unwrap();
    store.ask(&job(1), &Act::Cancel, AT).await.unwrap();
    assert_eq!(store.asked(last).await.unwrap().len(), 1);
}

pub(super) async fn a_retry_is_a_run_of_its_own(world: &World) {
    let store = world.records().await;
    store.submit(vec![submission(1)]).await.unwrap();
    let job = submission(1).job;
    let event = EventDigest([3; 32]);
    let retry = Act::Retry { from_stage: Some("enrich".into()), event };
    assert_eq!(store.ask(&job, &retry, AT).await.unwrap(), Acted::Conflict(Phase::Accepted));
    assert!(matches!(store.claim(&claim(&submission(1), 7)).await.unwrap(), Claimed::Granted { .. }));
    store.note(&[end(&job, 7, Ended::Failed)]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.ask(&job, &retry, AT).await.unwrap(), Acted::Done(Run(2)), "the same again is the same");
    }
    assert_eq!(store.claim(&claim(&submission(1), 7)).await.unwrap(), Claimed::Repeat, "of the run before");
    let second = gristmill_core::model::Claim { run: Run(2), event, ..claim(&submission(1), 9) };
    let claimed = store.claim(&second).await.unwrap();
    assert!(matches!(&claimed, Claimed::Granted { first: Some(_), from_stage: Some(stage) } if stage == "enrich"));
    store.note(&[end(&job, 7, Ended::Completed)]).await.unwrap();
    assert_eq!(Status::of(&record(&*store, &job).await), Status::Running, "a late note of the run before");
}
