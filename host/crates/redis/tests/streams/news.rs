//! What a source tells observers.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use gristmill_core::ports::{Demand, Fate, Notice, Reach, Signal, Source};
use gristmill_test_servers::Redis;

use crate::harness::{Harness, PATIENCE, assigned, events, numbered, settle};
use crate::redis::{Streams, until};

/// The next notice for which there is something to say. Takes no events.
async fn notice<T>(source: &mut dyn Source, of: impl Fn(&Notice) -> Option<T>) -> T {
    let heard = async {
        loop {
            if let Signal::Notice(notice) = source.recv(Demand::ControlOnly).await.unwrap()
                && let Some(found) = of(&notice)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("that was never told")
}

/// How many entries went this way, told next.
async fn irregular(source: &mut dyn Source, expected: Fate) -> u64 {
    let of = |notice: &Notice| match notice {
        Notice::Irregular { fate, records } if *fate == expected => Some(*records),
        _ => None,
    };
    notice(source, of).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_redis_is_lost_is_told_within_two_seconds_and_that_it_is_back() {
    let Some(mut server) = Redis::own().await else { return };
    let streams = Streams::on(server.url());
    let mut source = streams.called("one");
    assigned(&mut source).await;
    let mut took = Vec::new();
    // On a machine that is very busy one of three is in time.
    for _ in 0..3 {
        // A read waits, as in a pipeline that has nothing to do.
        let idle = tokio::time::timeout(Duration::from_millis(300), events(&mut source, 1)).await;
        assert!(idle.is_err(), "{idle:?}");
        server.kill();
        let killed = Instant::now();
        let lost = |notice: &Notice| match notice {
            Notice::Broker(Reach::Lost(why)) => Some(why.clone()),
            _ => None,
        };
        let why = notice(&mut source, lost).await;
        assert!(!why.is_empty());
        took.push(killed.elapsed());
        server.restart().await;
        notice(&mut source, |notice| (*notice == Notice::Broker(Reach::Back)).then_some(())).await;
        if took.last().is_some_and(|took| *took < Duration::from_secs(2)) {
            source.close().await.unwrap();
            return;
        }
    }
    panic!("told too late: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_turns_while_redis_is_away() {
    let Some(mut server) = Redis::own().await else { return };
    let streams = Streams::on(server.url());
    server.kill();
    let mut source = streams.called("one");
    for _ in 0..3 {
        notice(&mut source, |notice| (*notice == Notice::Turn).then_some(())).await;
    }
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_are_trimmed_restored_or_claimed_are_told() {
    let streams = Streams::new().await;
    let mut source = streams.called("one");
    assigned(&mut source).await;
    streams.write(&numbered(0..5)).await;
    let _: u64 = streams.run("XTRIM S MAXLEN = 2").await;
    assert_eq!(irregular(&mut source, Fate::Trimmed).await, 3, "before they were read");
    let held = events(&mut source, 2).await;
    let () = streams.run("XGROUP DESTROY S G").await;
    assert_eq!(irregular(&mut source, Fate::Restored).await, held.len() as u64);
    for event in &held {
        settle(&mut source, event);
    }
    streams.write(&numbered(5..6)).await;
    let _: redis::Value = streams.run("XREADGROUP GROUP G dead COUNT 10 STREAMS S >").await;
    let claimed = async {
        loop {
            if let Signal::Notice(Notice::Irregular { fate: Fate::Claimed, records }) =
                source.recv(Demand::Events(NonZeroUsize::MIN)).await.unwrap()
            {
                return records;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, claimed).await.unwrap(), 1, "of one that has fallen silent");
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_ahead_is_told_until_it_is_handed_out() {
    let streams = Streams::new().await;
    let mut source = streams.called("one");
    assigned(&mut source).await;
    // Asks for one, and does not take it.
    let asked = tokio::time::timeout(Duration::ZERO, events(&mut source, 1)).await;
    assert!(asked.is_err(), "{asked:?}");
    streams.write(&numbered(0..1)).await;
    until(async || streams.pending().await.len() == 1, "it was not read").await;
    let ahead = |notice: &Notice| match notice {
        Notice::ReadAhead { records: 1, bytes } => Some(*bytes),
        _ => None,
    };
    assert!(notice(&mut source, ahead).await >= 5, "the bytes of its value");
    events(&mut source, 1).await;
    notice(&mut source, |notice| (*notice == Notice::ReadAhead { records: 0, bytes: 0 }).then_some(())).await;
    source.close().await.unwrap();
}
