//! Redis is killed and started again, or loses its data.

use std::collections::BTreeSet;
use std::time::Duration;

use gristmill_core::ports::{Sink, SinkError, Source};
use gristmill_redis::{RedisSink, Settings};
use gristmill_test_servers::Redis;

use crate::harness::{Harness, PATIENCE, event, events, numbered, payload, payloads, settle};
use crate::redis::{Streams, end, record, until};

/// How often Redis is killed under load.
const KILLS: usize = 5;
const WRITTEN: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_redis_is_killed_under_load() {
    let Some(mut server) = Redis::own().await else { return };
    let streams = Streams::on(server.url());
    let (name, settings) = (streams.name.clone(), streams.settings.clone());
    let mut source = streams.called("one");
    let writer = tokio::spawn({
        let sink = RedisSink::open(&settings).unwrap();
        let name = name.clone();
        async move {
            for payload in numbered(0..WRITTEN) {
                sink.deliver(vec![record(&name, &payload)]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let killer = async {
        for _ in 0..KILLS {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(100..600))).await;
            server.kill();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(10..500))).await;
            server.restart().await;
        }
    };
    let mut seen = BTreeSet::new();
    let read = tokio::time::timeout(PATIENCE * 3, async {
        while seen.len() < WRITTEN {
            let arrived = event(&mut source).await;
            seen.insert(payload(&arrived));
            settle(&mut source, &arrived);
        }
    });
    let (read, ()) = tokio::join!(read, killer);
    assert!(read.is_ok(), "{} of {WRITTEN} arrived; missing: {:?}", seen.len(), missing(&seen));
    writer.await.unwrap();
    // What comes twice is settled too.
    let rest = async {
        loop {
            let arrived = event(&mut source).await;
            settle(&mut source, &arrived);
        }
    };
    tokio::select! {
        () = streams.until_nothing_is_pending() => {}
        () = rest => {}
    }
    source.close().await.unwrap();
}

fn missing(seen: &BTreeSet<String>) -> Vec<String> {
    numbered(0..WRITTEN).into_iter().filter(|payload| !seen.contains(payload)).take(5).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_settled_while_redis_was_away_is_acknowledged_later() {
    let Some(mut server) = Redis::own().await else { return };
    let streams = Streams::on(server.url());
    streams.write(&numbered(0..10)).await;
    let mut source = streams.called("one");
    let arrived = events(&mut source, 10).await;
    server.kill();
    for event in &arrived {
        settle(&mut source, event);
    }
    server.restart().await;
    streams.until_nothing_is_pending().await;
    streams.write(&numbered(10..11)).await;
    assert_eq!(payload(&event(&mut source).await), "00010");
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_joins_once_redis_is_there() {
    let Some(mut server) = Redis::own().await else { return };
    let streams = Streams::on(server.url());
    streams.write(&numbered(0..1)).await;
    server.kill();
    let mut source = streams.called("one");
    let waiting = tokio::time::timeout(Duration::from_millis(300), event(&mut source)).await;
    assert!(waiting.is_err());
    server.restart().await;
    assert_eq!(payload(&event(&mut source).await), "00000");
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_was_deleted_goes_on_where_it_was() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..10)).await;
    let mut source = streams.called("one");
    let held = events(&mut source, 5).await;
    let () = streams.run("XGROUP DESTROY S G").await;
    until(async || streams.run::<Vec<redis::Value>>("XINFO GROUPS S").await.len() == 1, "the group is still gone")
        .await;
    until(async || streams.pending().await.len() >= 5, "what is in work is not pending again").await;
    for event in &held {
        settle(&mut source, event);
    }
    // The other five: unread, or read under the old group and in the channel already.
    let rest = events(&mut source, 5).await;
    assert_eq!(payloads(&rest), numbered(5..10));
    for event in &rest {
        settle(&mut source, event);
    }
    streams.until_nothing_is_pending().await;
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_lost_is_read_from_its_start() {
    let streams = Streams::new().await;
    // Ids of the future: those of the new stream are lower.
    let () = streams.run("XADD S 99999999999999-0 value 00000").await;
    let mut source = streams.called("one");
    let first = event(&mut source).await;
    settle(&mut source, &first);
    streams.until_nothing_is_pending().await;
    let () = streams.run("DEL S").await;
    streams.write(&numbered(1..4)).await;
    assert_eq!(payloads(&events(&mut source, 3).await), numbered(1..4));
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stays_away_is_unavailable_and_a_full_one_refuses_nothing() {
    let Some(mut server) = Redis::own().await else { return };
    let streams = Streams::on(server.url());
    let settings = Settings { delivery_timeout: Duration::from_secs(2), ..streams.settings.clone() };
    let sink = RedisSink::open(&settings).unwrap();
    // Without memory: it is no fault of the record.
    let () = streams.run("CONFIG SET maxmemory 1").await;
    let full = sink.deliver(vec![record("out", "x")]).await;
    assert!(matches!(&full, Err(SinkError::Unavailable { topic, .. }) if **topic == *"out"), "{full:?}");
    let () = streams.run("CONFIG SET maxmemory 0").await;
    sink.deliver(vec![record("out", "x")]).await.unwrap();
    server.kill();
    let away = sink.deliver(vec![record("out", "y")]).await;
    assert!(matches!(away, Err(SinkError::Unavailable { .. })), "{away:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_no_stream_ends_the_source_and_says_so() {
    let streams = Streams::new().await;
    let () = streams.run("SET S x").await;
    let mut source = streams.called("one");
    let message = end(&mut source).await;
    assert!(message.contains("WRONGTYPE") && message.contains(&streams.name), "{message}");
}
