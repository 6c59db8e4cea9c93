//! What commands use: reading without a group, writing groups, single dead letters.

use std::sync::Mutex;
use std::time::Duration;

use gristmill_core::model::{EventId, Partition, Position};
use gristmill_core::ports::{
    Broker, Browse, Connection, From, Group, Guarantee, Letters, Outlet, Records, Source, Start, Subscription, Until,
};
use gristmill_redis::{Creation, RedisBroker, RedisLetters, Settings};

use crate::harness::{Harness, PATIENCE, events, numbered, payload, payloads, settle};
use crate::redis::{Streams, record, until};

fn broker(streams: &Streams) -> RedisBroker {
    RedisBroker::new(streams.settings.clone()).unwrap()
}

async fn browse(streams: &Streams, from: From, until: Until) -> Box<dyn Records> {
    broker(streams).browse(Browse { topic: streams.name.as_str().into(), from, until }).await.unwrap()
}

async fn all(mut records: Box<dyn Records>) -> Vec<String> {
    let mut read = Vec::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, records.next()).await.expect("it never ends") {
        read.push(payload(&event.unwrap()));
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_read_from_where_it_was_asked_to_its_end() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..100)).await;
    assert_eq!(all(browse(&streams, From::Start, Until::End).await).await, numbered(0..100));
    assert_eq!(all(browse(&streams, From::Last(3), Until::End).await).await, numbered(97..100));
    assert_eq!(all(browse(&streams, From::Last(500), Until::End).await).await, numbered(0..100));
    assert!(all(browse(&streams, From::End, Until::End).await).await.is_empty());
    assert!(streams.run::<Vec<redis::Value>>("XINFO GROUPS S").await.is_empty(), "no group is touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_later_is_read_too() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..3)).await;
    let mut tail = browse(&streams, From::End, Until::Dropped).await;
    // A call that is dropped loses nothing.
    assert!(tokio::time::timeout(Duration::from_millis(50), tail.next()).await.is_err());
    streams.write(&numbered(3..5)).await;
    for expected in numbered(3..5) {
        let event = tokio::time::timeout(PATIENCE, tail.next()).await.expect("nothing arrives").unwrap().unwrap();
        assert_eq!(payload(&event), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_stream_cannot_be_browsed() {
    let streams = Streams::new().await;
    let what = || Browse { topic: streams.name.as_str().into(), from: From::Start, until: Until::End };
    let missing = broker(&streams).browse(what()).await.err().expect("there is nothing to read");
    assert!(format!("{missing:#}").contains(&streams.name), "{missing:#}");
    let () = streams.run("SET S x").await;
    let other = broker(&streams).browse(what()).await.err().expect("it is a string");
    assert!(format!("{other:#}").contains("string"), "{other:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_written_in_order_and_counted() {
    let streams = Streams::new().await;
    let marks = format!("{}.marks", streams.name);
    let group = |text: &String| -> Group { vec![record(&streams.name, text), record(&marks, text)] };
    let steps = Mutex::new(Vec::new());
    let groups = numbered(0..150).iter().map(group).collect();
    let written = broker(&streams).write(groups, None, &|done| steps.lock().unwrap().push(done)).await.unwrap();
    assert_eq!((written, steps.into_inner().unwrap()), (150, vec![100, 150]));
    assert_eq!(all(browse(&streams, From::Start, Until::End).await).await, numbered(0..150));
    assert_eq!(streams.run::<usize>(&format!("XLEN {marks}")).await, 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_written_whole_or_not_at_all() {
    let streams = Streams::new().await;
    let missing = format!("{}.missing", streams.name);
    streams.write(&numbered(0..1)).await;
    let settings = Settings { creation: Creation::Never, ..streams.settings.clone() };
    let groups = vec![vec![record(&streams.name, "x"), record(&missing, "x")]];
    let error = RedisBroker::new(settings).unwrap().write(groups, None, &|_| {}).await.unwrap_err();
    assert_eq!(error.written, 0);
    assert!(format!("{:#}", error.reason).contains("create_streams"), "{:#}", error.reason);
    assert_eq!(streams.run::<usize>("XLEN S").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_found_at_its_place_and_nowhere_else() {
    let streams = Streams::new().await;
    for number in 1..4 {
        let () = streams.run(&format!("XADD S 5-{number} value {number}")).await;
    }
    let letters = RedisLetters::open(&streams.settings, streams.name.as_str().into()).unwrap();
    let place = |topic: &str, index: u32, position: u128| EventId {
        partition: Partition { topic: topic.into(), index },
        position: Position(position),
    };
    let found = letters.find(&place(&streams.name, 0, (5 << 64) | 2)).await.unwrap().expect("it is there");
    assert_eq!((payload(&found).as_str(), found.id.to_string()), ("2", format!("{}/0/5-2", streams.name)));
    for missing in [
        place(&streams.name, 0, (5 << 64) | 4),
        place(&streams.name, 0, 5),
        place(&streams.name, 0, u128::MAX),
        place(&streams.name, 1, (5 << 64) | 2),
        place("another", 0, (5 << 64) | 2),
    ] {
        assert!(letters.find(&missing).await.unwrap().is_none(), "{missing}");
    }
    let away = RedisLetters::open(&Settings::new("redis://127.0.0.1:1".parse().unwrap()), "dead".into()).unwrap();
    assert!(away.find(&place("dead", 0, 1)).await.is_err(), "a broker that is away is no answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_others_add_are_events() {
    let streams = Streams::new().await;
    let () = streams.run("XADD S 7-1 json {\"a\":1}").await;
    let () = streams.run("XADD S 7-2 user 7 action buy").await;
    let () = streams.run("XADD S 7-3 key k value v header:tenant t").await;
    let mut source = streams.called("one");
    let arrived = events(&mut source, 3).await;
    assert_eq!(payload(&arrived[0]), r#"{"a":1}"#);
    let object: serde_json::Value = serde_json::from_str(&payload(&arrived[1])).unwrap();
    assert_eq!(object, serde_json::json!({ "action": "buy", "user": "7" }));
    assert_eq!(arrived[1].content_type(), Some("application/json"));
    let record = &arrived[2];
    assert_eq!((record.key.as_deref(), payload(record).as_str()), (Some(&b"k"[..]), "v"));
    assert_eq!((&*record.headers[0].name, record.timestamp.0), ("tenant", 7));
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_outputs_are_trimmed_as_configured() {
    let streams = Streams::new().await;
    let settings = Settings { max_len: std::num::NonZeroU64::new(100), ..streams.settings.clone() };
    let sink = gristmill_redis::RedisSink::open(&settings).unwrap();
    let records = numbered(0..2_000).iter().map(|text| record(&streams.name, text)).collect();
    gristmill_core::ports::Sink::deliver(&sink, records).await.unwrap();
    let length: usize = streams.run("XLEN S").await;
    assert!((100..1_000).contains(&length), "{length}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_served() {
    let streams = Streams::new().await;
    let broker = broker(&streams);
    let subscription = |guarantee| Subscription {
        topic: streams.name.as_str().into(),
        dead_letters: format!("{}.dead", streams.name).into(),
        group: streams.name.as_str().into(),
        start: Start::Earliest,
        drain_timeout: Duration::from_secs(5),
        guarantee,
    };
    let exactly_once = Guarantee::ExactlyOnce { most: std::num::NonZeroUsize::MIN, every: Duration::from_secs(1) };
    let refused = broker.connect(subscription(exactly_once)).await.err().expect("it has no such transactions");
    assert!(refused.to_string().contains("at-least-once"), "{refused}");

    streams.write(&numbered(0..5)).await;
    let Connection { mut source, outlet, .. } = broker.connect(subscription(Guarantee::AtLeastOnce)).await.unwrap();
    let arrived = events(source.as_mut(), 5).await;
    assert_eq!(payloads(&arrived), numbered(0..5));
    let Outlet::Sink(sink) = outlet else { panic!("outputs go out each on its own") };
    let out = format!("{}.out", streams.name);
    sink.deliver(vec![record(&out, "done")]).await.unwrap();
    for event in &arrived {
        settle(source.as_mut(), event);
    }
    until(async || streams.pending().await.is_empty(), "was not acknowledged").await;
    source.close().await.unwrap();
    assert_eq!(streams.run::<usize>(&format!("XLEN {out}")).await, 1);
}
