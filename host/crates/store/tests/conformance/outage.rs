//! A server that is killed while hosts write to it: nothing that was acknowledged is lost, nothing is counted twice, and
//! the hosts go on by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gristmill_core::ports::{JobState, KeepOne, StoreError};
use gristmill_test_servers as servers;

use super::spending::{on, spent};
use super::world::{Ports, World, job, key, text};

const KILLS: usize = 5;
const WRITERS: usize = 16;
/// Long enough for a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server of the test's own.
enum Server {
    Postgres(servers::Postgres),
    Redis(servers::Redis),
}

impl Server {
    fn kill(&mut self) {
        match self {
            Self::Postgres(server) => server.kill(),
            Self::Redis(server) => server.kill(),
        }
    }

    async fn restart(&mut self) {
        match self {
            Self::Postgres(server) => server.restart().await,
            Self::Redis(server) => server.restart().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_killed_loses_nothing_and_counts_nothing_twice() {
    let Some(server) = servers::Postgres::own().await else { return };
    let world = World::at(&server.database().await);
    is_killed(Server::Postgres(server), &world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_loses_nothing_and_counts_nothing_twice() {
    let Some(server) = servers::Redis::own().await else { return };
    let world = World::at(server.url());
    is_killed(Server::Redis(server), &world).await;
}

/// What hosts did while the server came and went.
#[derive(Default)]
struct Done {
    /// Values that were acknowledged: all numbers below, as each is tried until it is kept.
    next: AtomicU64,
    kept: AtomicU64,
    transient: AtomicU64,
    stop: AtomicBool,
}

async fn is_killed(mut server: Server, world: &World) {
    let hosts = [world.open().await, world.open().await];
    let done = Arc::new(Done::default());
    let writers = (0..WRITERS).map(|writer| {
        let (store, done) = (Arc::clone(&hosts[writer % 2]), Arc::clone(&done));
        tokio::spawn(async move { write(&*store, &done).await })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..KILLS {
        more(&done.kept, 300).await;
        server.kill();
        more(&done.transient, 1).await;
        server.restart().await;
    }
    more(&done.kept, 300).await;
    done.stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    drop(hosts);
    let store = world.open().await;
    let all = done.next.load(Ordering::SeqCst);
    for number in 0..all {
        let kept = store.recall(&job((number / 3).into()), key(number)).await.unwrap();
        assert_eq!(kept, Some(text(&number.to_string())), "{number} of {all} was acknowledged");
    }
    let spent_in_all = store.all().await.unwrap();
    assert_eq!(spent_in_all[0].1.calls, all, "each note counts once");
}

/// Keeps one value after the other, each until it is acknowledged.
async fn write(store: &dyn Ports, done: &Done) {
    while !done.stop.load(Ordering::SeqCst) {
        let number = done.next.fetch_add(1, Ordering::SeqCst);
        let (job, value) = (job((number / 3).into()), text(&number.to_string()));
        store.note(on(1, "a"), spent(1)).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match store.keep(&job, key(number), &value).await {
                // It may have been kept although that was not acknowledged.
                Ok(earlier) => break assert!(earlier.is_none_or(|earlier| earlier == value)),
                Err(StoreError::Transient { .. }) => done.transient.fetch_add(1, Ordering::SeqCst),
                Err(error) => panic!("{error}"),
            };
            assert!(Instant::now() < deadline, "the store did not recover");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        done.kept.fetch_add(1, Ordering::SeqCst);
        store.ended(&job, JobState::Emitted).unwrap();
    }
}

/// Waits until there are so many more.
async fn more(counter: &AtomicU64, many: u64) {
    let (before, deadline) = (counter.load(Ordering::SeqCst), Instant::now() + PATIENCE);
    while counter.load(Ordering::SeqCst) < before + many {
        assert!(Instant::now() < deadline, "not in time: {many} more than {before}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_every_call_fails_for_now_and_notes_wait() {
    let Some(server) = servers::Postgres::own().await else { return };
    let world = World::at(&server.database().await);
    is_away(Server::Postgres(server), &world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_every_call_fails_for_now_and_notes_wait() {
    let Some(server) = servers::Redis::own().await else { return };
    let world = World::at(server.url());
    is_away(Server::Redis(server), &world).await;
}

async fn is_away(mut server: Server, world: &World) {
    let store = world.open().await;
    store.keep(&job(1), key(0), &text("x")).await.unwrap();
    server.kill();
    let passes = |error: StoreError| assert!(matches!(error, StoreError::Transient { .. }), "{error}");
    for round in 0..2 {
        passes(store.keep(&job(2), key(0), &text("x")).await.unwrap_err());
        passes(store.recall(&job(1), key(0)).await.unwrap_err());
        passes(store.find_answer(key(1)).await.unwrap_err());
        passes(store.all().await.unwrap_err());
        store.note(on(1, "a"), spent(round)).unwrap();
        store.ended(&job(1), JobState::Emitted).unwrap();
    }
    server.restart().await;
    let deadline = Instant::now() + PATIENCE;
    while store.keep(&job(2), key(0), &text("x")).await.is_err() {
        assert!(Instant::now() < deadline, "it did not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.all().await.unwrap()[0].1.calls, 2, "what was noted meanwhile");
    assert_eq!(store.recall(&job(1), key(0)).await.unwrap(), Some(text("x")));
}
