//! Entries whose host died, works long, or was deleted; entries that were trimmed.

use std::num::NonZeroUsize;
use std::time::Duration;

use gristmill_core::ports::{Demand, Signal, Source};

use crate::harness::{Harness, PATIENCE, assigned, event, events, numbered, payload, payloads, settle};
use crate::redis::{Streams, until};

/// A consumer that reads without Gristmill and is never heard of again.
async fn dies_with(streams: &Streams, count: usize) {
    let _: redis::Value = streams.run(&format!("XREADGROUP GROUP G dead COUNT {count} STREAMS S >")).await;
    assert_eq!(streams.pending().await.len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_host_that_died_are_taken_over() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..50)).await;
    let () = streams.run("XGROUP CREATE S G 0").await;
    dies_with(&streams, 50).await;
    let mut source = streams.called("alive");
    let arrived = events(&mut source, 50).await;
    assert_eq!(payloads(&arrived), numbered(0..50));
    assert!(arrived.iter().all(|event| event.deliveries.map(|count| count.get()) == Some(2)), "{:?}", arrived[0]);
    for event in &arrived {
        settle(&mut source, event);
    }
    streams.until_nothing_is_pending().await;
    assert_eq!(source.seen().claimed, 50);
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_host_that_works_long_are_left_to_it() {
    let mut streams = Streams::new().await;
    streams.settings.claim_after = Duration::from_secs(4);
    streams.write(&numbered(0..20)).await;
    let mut slow = streams.called("slow");
    let held = events(&mut slow, 20).await;
    let mut other = streams.called("other");
    assigned(&mut other).await;
    // Twice as long as a host may be silent. The condition is that nothing happens, so there is nothing else to wait for.
    let stolen = tokio::time::timeout(Duration::from_secs(8), async {
        tokio::select! {
            stolen = event(&mut other) => stolen,
            () = attend(&mut slow) => unreachable!("attending never ends"),
        }
    });
    let stolen = stolen.await;
    assert!(stolen.is_err(), "{stolen:?}");
    assert!(streams.pending().await.iter().all(|(_, consumer, deliveries)| consumer == "slow" && *deliveries == 1));
    for event in &held {
        settle(&mut slow, event);
    }
    streams.until_nothing_is_pending().await;
    slow.close().await.unwrap();
    other.close().await.unwrap();
}

/// A host that reads this many entries and dies after this time: its tasks are not run any more, so it says nothing.
fn lives_for(streams: &Streams, count: usize, time: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let source = runtime.block_on(async {
        let mut source = streams.called("doomed");
        events(&mut source, count).await;
        let _ = tokio::time::timeout(time, attend(&mut source)).await;
        source
    });
    drop(runtime);
    drop(source);
}

async fn attend(source: &mut dyn Source) {
    loop {
        source.recv(Demand::ControlOnly).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_were_trimmed_while_pending_are_counted_and_hold_up_nothing() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..10)).await;
    let mut first = streams.called("one");
    events(&mut first, 10).await;
    first.close().await.unwrap();
    let () = streams.run("XTRIM S MAXLEN 4").await;
    streams.write(&numbered(10..11)).await;
    let mut again = streams.called("one");
    let left = events(&mut again, 4).await;
    assert_eq!(payloads(&left), numbered(6..10));
    for event in &left {
        settle(&mut again, event);
    }
    assert_eq!(payload(&event(&mut again).await), "00010");
    assert_eq!(again.seen().trimmed, 6);
    assert_eq!(streams.pending().await.len(), 1, "the trimmed ones are not pending for ever");
    again.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_dead_host_that_were_trimmed_are_counted() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..10)).await;
    let () = streams.run("XGROUP CREATE S G 0").await;
    dies_with(&streams, 10).await;
    let () = streams.run("XTRIM S MAXLEN 3").await;
    let mut source = streams.called("alive");
    assert_eq!(payloads(&events(&mut source, 3).await), numbered(7..10));
    until(async || source.seen().trimmed == 7, "they were not counted").await;
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_were_trimmed_unread_are_counted() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..10)).await;
    let () = streams.run("XGROUP CREATE S G 0").await;
    let () = streams.run("XTRIM S MAXLEN 4").await;
    let mut source = streams.called("one");
    assigned(&mut source).await;
    let counted = async {
        while source.seen().trimmed == 0 {
            source.recv(Demand::ControlOnly).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("they were not counted");
    assert_eq!(source.seen().trimmed, 6);
    assert_eq!(payloads(&events(&mut source, 4).await), numbered(6..10));
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_consumer_is_deleted_makes_its_entries_pending_again() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..5)).await;
    let mut source = streams.called("one");
    let held = events(&mut source, 5).await;
    let deleted: u64 = streams.run("XGROUP DELCONSUMER S G one").await;
    assert_eq!(deleted, 5);
    until(async || streams.pending().await.len() == 5, "they would be lost in a crash").await;
    assert_eq!(source.seen().restored, 5);
    for event in &held {
        settle(&mut source, event);
    }
    streams.until_nothing_is_pending().await;
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_dead_host_whose_consumer_is_deleted_are_done_by_another() {
    let mut streams = Streams::new().await;
    streams.settings.claim_after = Duration::from_secs(6);
    streams.write(&numbered(0..5)).await;
    let mut other = streams.called("other");
    let death = {
        let settings = streams.settings.clone();
        let doomed = Streams { url: streams.url.clone(), name: streams.name.clone(), settings };
        // Long enough for the other to look at least once what it has.
        std::thread::spawn(move || lives_for(&doomed, 5, Duration::from_secs(5)))
    };
    until(async || streams.pending().await.len() == 5, "the doomed host reads nothing").await;
    let died = tokio::task::spawn_blocking(|| death.join().unwrap());
    tokio::select! {
        died = died => died.unwrap(),
        () = attend(&mut other) => unreachable!("attending never ends"),
    }
    let () = streams.run("XGROUP DELCONSUMER S G doomed").await;
    let arrived = events(&mut other, 5).await;
    assert_eq!(payloads(&arrived), numbered(0..5));
    let seen = other.seen();
    assert!(seen.restored + seen.claimed >= 5, "{seen:?}");
    other.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_lost_its_name_gives_up_its_work_and_goes_on() {
    let mut streams = Streams::new().await;
    streams.settings.consumer = gristmill_redis::Consumer::Numbered("machine".to_owned());
    streams.write(&numbered(0..3)).await;
    let mut source = streams.source();
    events(source.as_mut(), 3).await;
    // As if another had taken it while this one was stopped, and is alive: it says so again and again.
    let key = format!("gristmill:{{{}}}:{}:members", streams.name, streams.name);
    let url = streams.url.clone();
    let another = tokio::spawn(async move {
        let mut connection = crate::redis::connection(&url).await;
        let mut until = 4_000_000_000_000_u64;
        loop {
            let mut set = redis::cmd("HSET");
            set.arg(&key).arg("machine").arg(format!("another {until}"));
            set.exec_async(&mut connection).await.unwrap();
            until += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Something new is wanted, so a read waits for it all the time.
    let more = Demand::Events(NonZeroUsize::MIN);
    let given_up = async {
        loop {
            if let Signal::Revoked { ack, .. } = source.recv(more).await.unwrap() {
                return ack.is_closed();
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, given_up).await.expect("nothing was given up"), "nobody waits");
    // What is read under the old name, by a read that began before, is the other host's.
    streams.write(&numbered(3..4)).await;
    let generations = async {
        loop {
            match source.recv(Demand::ControlOnly).await.unwrap() {
                Signal::Assigned { generation, partitions, .. } if !partitions.is_empty() => return generation,
                _ => {}
            }
        }
    };
    let generation = tokio::time::timeout(PATIENCE, generations).await.expect("it did not go on");
    assert_eq!(generation.0, 2);
    while payload(&event(source.as_mut()).await) != "00003" {}
    let (_, consumer, _) = streams.pending().await.pop().unwrap();
    assert_eq!(consumer, "machine-2", "it works on what another has");
    source.close().await.unwrap();
    another.abort();
}
