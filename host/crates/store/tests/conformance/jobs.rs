//! What jobs keep.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::model::{Outcome, Output};
use gristmill_core::ports::{JobState, Keep, KeepOne, Kept, Key, Store, StoreError};

use super::samples::every_kind;
use super::world::{World, job, key, text, until};

pub(super) async fn what_is_kept_is_there_after_reopening(world: &World) {
    let store = world.open().await;
    for (number, kept) in (0..).zip(every_kind()) {
        assert_eq!(store.keep(&job(7), key(number), &kept).await.unwrap(), None);
        // A job may do its work again: then it gets what it has kept.
        assert_eq!(store.keep(&job(7), key(number), &text("again")).await.unwrap(), Some(kept));
    }
    store.keep(&job(8), key(0), &text("other")).await.unwrap();
    drop(store);
    let store = world.open().await;
    for (number, kept) in (0..).zip(every_kind()) {
        assert_eq!(store.recall(&job(7), key(number)).await.unwrap(), Some(kept));
    }
    assert_eq!(store.recall(&job(8), key(0)).await.unwrap(), Some(text("other")), "each job has its own keys");
    assert_eq!(store.recall(&job(8), key(1)).await.unwrap(), None);
    assert_eq!(store.recall(&job(9), key(0)).await.unwrap(), None);
}

pub(super) async fn of_two_hosts_that_keep_the_same_thing_the_first_wins(world: &World) {
    let (one, two) = (world.open().await, world.open().await);
    assert_eq!(one.keep(&job(1), key(0), &text("one")).await.unwrap(), None);
    assert_eq!(two.keep(&job(1), key(0), &text("two")).await.unwrap(), Some(text("one")));
    for store in [one, two] {
        assert_eq!(store.recall(&job(1), key(0)).await.unwrap(), Some(text("one")));
    }
}

pub(super) async fn hosts_that_keep_the_same_things_at_once_agree(world: &World) {
    let hosts = [world.open().await, world.open().await, world.open().await];
    let mut tasks = Vec::new();
    for (host, store) in hosts.iter().enumerate() {
        for number in 0..200_u64 {
            let store = Arc::clone(store);
            tasks.push(tokio::spawn(async move {
                let mine = text(&format!("of host {host}"));
                let job = job((number / 4).into());
                let earlier = loop {
                    match store.keep(&job, key(number), &mine).await {
                        // On a slow disk, another host holds a file for longer than one waits.
                        Err(StoreError::Transient { .. }) => {}
                        kept => break kept.unwrap(),
                    }
                };
                (number, earlier.is_none(), earlier.unwrap_or(mine))
            }));
        }
    }
    let mut firsts = [0; 200];
    for (number, is_first, agreed) in join_all(tasks).await.into_iter().map(Result::unwrap) {
        firsts[usize::try_from(number).unwrap()] += usize::from(is_first);
        for store in &hosts {
            assert_eq!(store.recall(&job((number / 4).into()), key(number)).await.unwrap().as_ref(), Some(&agreed));
        }
    }
    assert_eq!(firsts, [1; 200], "exactly one is the first of each");
}

pub(super) async fn callers_of_one_host_that_keep_the_same_thing_agree(world: &World) {
    let store = world.open().await;
    let values: Vec<Kept> = (0..50).map(|number| text(&number.to_string())).collect();
    let job = job(1);
    let kept = join_all(values.iter().map(|value| store.keep(&job, key(0), value))).await;
    let earlier: Vec<Option<Kept>> = kept.into_iter().map(Result::unwrap).collect();
    let first = earlier.iter().position(Option::is_none).unwrap();
    assert_eq!(earlier.iter().flatten().count(), 49, "one is the first");
    assert!(earlier.iter().flatten().all(|earlier| *earlier == values[first]));
}

pub(super) async fn values_kept_in_one_write_each_get_an_answer_of_their_own(world: &World) {
    let store = world.open().await;
    store.keep(&job(1), key(0), &text("old")).await.unwrap();
    let new = |number: u128, at: u64, value: &str| Keep { job: job(number), key: key(at), kept: text(value) };
    let together = [new(2, 0, "a"), new(1, 0, "b"), new(1, 1, "c"), new(2, 0, "d"), new(3, 7, "e")];
    let earlier = store.keep_all(&together).await.unwrap();
    assert_eq!(earlier, [None, Some(text("old")), None, Some(text("a")), None]);
    assert_eq!(store.keep_all(&[]).await.unwrap(), []);
    drop(store);
    let store = world.open().await;
    for (number, at, value) in [(1, 0, "old"), (1, 1, "c"), (2, 0, "a"), (3, 7, "e")] {
        assert_eq!(store.recall(&job(number), key(at)).await.unwrap(), Some(text(value)));
    }
    assert_eq!(store.keep_all(&together[2..3]).await.unwrap(), [Some(text("c"))]);
}

pub(super) async fn the_keys_of_what_is_kept_of_jobs_are_known(world: &World) {
    let store = world.open().await;
    for (number, at) in [(1, 3), (1, 1), (2, 7), (4, 1)] {
        store.keep(&job(number), key(at), &text("x")).await.unwrap();
    }
    let mut keys = store.keys(&[job(1), job(9), job(2), job(1)]).await.unwrap();
    keys.iter_mut().for_each(|keys| keys.sort_unstable());
    let both = vec![key(1), key(3)];
    assert_eq!(keys, [both.clone(), Vec::new(), vec![key(7)], both]);
    assert_eq!(store.keys(&[]).await.unwrap(), Vec::<Vec<Key>>::new());
}

pub(super) async fn each_pipeline_has_its_own(world: &World) {
    let (one, other) = (world.open().await, world.open_for("another-pipeline").await);
    one.keep(&job(1), key(0), &text("one")).await.unwrap();
    assert_eq!(other.recall(&job(1), key(0)).await.unwrap(), None);
    // Left by an earlier run on a server that outlives the test.
    other.keep(&job(2), key(0), &text("other")).await.unwrap();
    assert_eq!(one.recall(&job(2), key(0)).await.unwrap(), None);
}

pub(super) async fn large_values_and_many_at_once_are_kept(world: &World) {
    let store = world.open().await;
    let value = |number: u64| {
        let bytes = if number == 0 { 5 << 20 } else { 3_000 };
        let payload = vec![u8::try_from(number % 251).unwrap(); bytes];
        let output = Output {
            payload: payload.into(),
            content_type: None,
            key: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            branch: None,
        };
        Kept::Outcome(Outcome::Emit(vec![output]))
    };
    let keeps = (0..2_000_u64).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.keep(&job((number / 3).into()), key(number), &value(number)).await.unwrap() })
    });
    for kept in join_all(keeps.collect::<Vec<_>>()).await {
        assert_eq!(kept.unwrap(), None);
    }
    for number in (0..2_000).step_by(37) {
        assert_eq!(store.recall(&job((number / 3).into()), key(number)).await.unwrap(), Some(value(number)));
    }
}

pub(super) async fn a_dropped_store_writes_what_was_asked_for(world: &World) {
    let store = world.open().await;
    // Tokio lets a task do only so much at a time: what the cases before have left of that may be too little for all.
    tokio::task::yield_now().await;
    {
        let x = text("x");
        // So few that each is polled, and so asked for, before any of them is dropped.
        let jobs: Vec<_> = (0..20).map(job).collect();
        let mut keeps = Box::pin(join_all(jobs.iter().map(|job| store.keep(job, key(0), &x))));
        tokio::select! {
            biased;
            _ = &mut keeps => {}
            () = std::future::ready(()) => {}
        }
    }
    drop(store);
    let store = world.open().await;
    for number in 0..20 {
        assert_eq!(store.recall(&job(number), key(0)).await.unwrap(), Some(text("x")), "{number}");
    }
}

pub(super) async fn an_ended_job_is_deleted_when_its_time_is_over(world: &World) {
    let world = World { keep_ended: Duration::from_secs(2), ..world.again() };
    let store = world.open().await;
    for number in 1..=2 {
        store.keep(&job(number), key(0), &text("x")).await.unwrap();
    }
    for (number, state) in [(1, JobState::Emitted), (77, JobState::Dropped)] {
        store.ended(&job(number), state).unwrap();
    }
    until(&world, &*store, "the ended job is gone", async || is_gone(&*store, 1).await).await;
    assert!(!is_gone(&*store, 2).await, "it has not ended");
}

pub(super) async fn a_replayed_job_is_unfinished_again(world: &World) {
    let world = World { keep_ended: Duration::from_secs(3), ..world.again() };
    let store = world.open().await;
    for number in 1..=2 {
        store.keep(&job(number), key(0), &text("x")).await.unwrap();
        store.ended(&job(number), JobState::DeadLettered).unwrap();
    }
    assert_eq!(store.keep(&job(2), key(1), &text("y")).await.unwrap(), None);
    until(&world, &*store, "the ended job is gone", async || is_gone(&*store, 1).await).await;
    assert!(!is_gone(&*store, 2).await, "it was kept again after its end");
}

pub(super) async fn an_unfinished_job_is_deleted_when_its_time_is_over(world: &World) {
    let world = World { keep_ended: Duration::from_secs(1), keep_unfinished: Duration::from_secs(2), ..world.again() };
    let store = world.open().await;
    store.keep(&job(1), key(0), &text("x")).await.unwrap();
    until(&world, &*store, "the unfinished job is gone", async || is_gone(&*store, 1).await).await;
    // It can begin again.
    assert_eq!(store.keep(&job(1), key(0), &text("y")).await.unwrap(), None);
}

async fn is_gone(store: &(impl Store + ?Sized), number: u128) -> bool {
    store.recall(&job(number), key(0)).await.unwrap().is_none()
}
