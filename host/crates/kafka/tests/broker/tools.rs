//! What exists besides sources and sinks: the check at the start, statistics, sending and tailing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gristmill_core::ports::{Checked, From, Record, Role, Source, Until};
use gristmill_kafka::{CheckError, Creation, PartitionStats, Settings, Tail, check_topics, send, topic_stats};

use crate::harness::{Harness, PATIENCE, events, numbered, payload, payloads, settle};
use crate::kafka::{Classic, address, fresh_name, topic};

pub(crate) async fn tailed(settings: &Settings, topic: &str, from: From) -> Vec<String> {
    let mut tail = Tail::open(settings, topic, from, Until::End).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, tail.next()).await.expect("the tail never ends") {
        events.push(event.unwrap());
    }
    payloads(&events)
}

#[tokio::test]
async fn all_missing_topics_are_named_in_one_error() {
    let (one, other, there) = (fresh_name(), fresh_name(), Classic::fresh(1).await);
    let topics = [topic(&one, Role::Source), topic(there.topic(), Role::Sink), topic(&other, Role::DeadLetters)];
    let error = check_topics(&Settings::new(&address()), &topics, None).await.unwrap_err();
    let CheckError::Topics(faults) = &error else { panic!("{error}") };
    let named: Vec<&str> = faults.iter().map(|fault| fault.topic.as_str()).collect();
    assert_eq!(named, [one.as_str(), other.as_str()]);
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[tokio::test]
async fn missing_topics_are_created_when_asked_for_and_only_those() {
    let (there, missing) = (Classic::fresh(1).await, fresh_name());
    let settings = Settings::new(&address());
    let creation = Some(Creation { partitions: 3, replication: 1 });
    let topics = [topic(there.topic(), Role::Source), topic(&missing, Role::Sink)];
    let created = check_topics(&settings, &topics, creation).await.unwrap().created;
    assert_eq!(created, [missing.as_str()]);
    assert_eq!(topic_stats(&settings, &missing, None).await.unwrap().len(), 3);
    assert_eq!(topic_stats(&settings, there.topic(), None).await.unwrap().len(), 1);
    let unchanged = Checked { address: address(), ..Checked::default() };
    assert_eq!(check_topics(&settings, &topics, creation).await.unwrap(), unchanged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_topic_that_we_create_accepts_any_event_with_its_headers() {
    let (there, dead) = (Classic::fresh(1).await, fresh_name());
    let topics = [topic(there.topic(), Role::Source), topic(&dead, Role::DeadLetters)];
    let creation = Some(Creation { partitions: 1, replication: 1 });
    let checked = check_topics(&there.0.settings, &topics, creation).await.unwrap();
    assert_eq!(checked, Checked { address: address(), created: vec![dead.clone()], warnings: Vec::new() });
    // Does not compress. An event of 16 MiB and the most that a dead letter adds.
    let large: Bytes = std::iter::repeat_with(|| fastrand::u8(..)).take(16 << 20).collect();
    let header = gristmill_core::model::Header { name: "gristmill-error".into(), value: Some(large.slice(..900_000)) };
    let dead_letter = Record {
        topic: dead.as_str().into(),
        payload: Some(large.clone()),
        headers: vec![header],
        ..there.record("k", "")
    };
    there.sink().deliver(vec![dead_letter]).await.unwrap();
    let mut tail = Tail::open(&there.0.settings, &dead, From::Start, Until::End).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, tail.next()).await.expect("it cannot be read back");
    assert_eq!(read.unwrap().unwrap().payload, Some(large));
}

#[tokio::test]
async fn a_dead_letter_topic_that_accepts_less_than_its_source_is_a_warning_with_both_limits() {
    let (there, large) = (Classic::fresh(1).await, fresh_name());
    let creation = Some(Creation { partitions: 1, replication: 1 });
    // Created with the limit of a dead-letter topic, then used as a source.
    check_topics(&there.0.settings, &[topic(&large, Role::DeadLetters)], creation).await.unwrap();
    let topics = [topic(&large, Role::Source), topic(there.topic(), Role::DeadLetters)];
    let checked = check_topics(&there.0.settings, &topics, None).await.unwrap();
    let [warning] = checked.warnings.as_slice() else { panic!("{checked:?}") };
    for expected in [there.topic(), &large, "1048588", "18874368", "max.message.bytes"] {
        assert!(warning.contains(expected), "{warning}");
    }
}

#[tokio::test]
async fn a_topic_that_cannot_be_created_is_named_with_the_reason() {
    let missing = fresh_name();
    let creation = Some(Creation { partitions: 1, replication: 5 });
    let error = check_topics(&Settings::new(&address()), &[topic(&missing, Role::Sink)], creation).await.unwrap_err();
    assert!(matches!(&error, CheckError::Topics(faults) if faults[0].reason.contains("eplication")), "{error}");
}

#[tokio::test]
async fn an_unreachable_broker_is_reported_in_time() {
    let begun = Instant::now();
    let error = check_topics(&Settings::new("127.0.0.1:1"), &[topic("in", Role::Source)], None).await.unwrap_err();
    assert!(matches!(&error, CheckError::Unreachable { brokers, .. } if brokers == "127.0.0.1:1"), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_show_how_far_a_group_is() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..10)).await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 10).await;
    settle(&mut source, &arrived[3]);
    source.close().await.unwrap();
    let stats = topic_stats(&harness.0.settings, harness.topic(), Some(&harness.0.source.group)).await.unwrap();
    assert_eq!(stats, [PartitionStats { partition: 0, low: 0, high: 10, committed: Some(4) }]);
    assert_eq!(stats[0].lag(), 6);
    let unknown = topic_stats(&harness.0.settings, harness.topic(), None).await.unwrap();
    assert_eq!(unknown[0].lag(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_confirmed_and_tailed() {
    let harness = Classic::fresh(2).await;
    let records: Vec<Record> = numbered(0..2_500).iter().map(|text| harness.record(text, text)).collect();
    let mut steps = Vec::new();
    let sent = send(&harness.0.settings, None, records, |acknowledged| steps.push(acknowledged)).await.unwrap();
    assert_eq!(sent, 2_500);
    assert_eq!(steps, (1..=2_500).collect::<Vec<u64>>());
    assert_eq!(tailed(&harness.0.settings, harness.topic(), From::Start).await, numbered(0..2_500));
    assert_eq!(tailed(&harness.0.settings, harness.topic(), From::End).await, numbered(0..0));
    assert_eq!(tailed(&harness.0.settings, harness.topic(), From::Last(3)).await.len(), 6, "3 of each partition");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_follows_new_records() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..3)).await;
    let mut tail = Tail::open(&harness.0.settings, harness.topic(), From::Last(1), Until::Dropped).await.unwrap();
    assert_eq!(payload(&tail.next().await.unwrap().unwrap()), "00002");
    harness.write(&numbered(3..4)).await;
    let next = tokio::time::timeout(PATIENCE, tail.next()).await.expect("it does not follow");
    assert_eq!(payload(&next.unwrap().unwrap()), "00003");
}

#[tokio::test]
async fn the_tail_of_a_missing_topic_is_an_error() {
    let missing = fresh_name();
    let error = Tail::open(&Settings::new(&address()), &missing, From::Start, Until::End).await.err().unwrap();
    assert!(format!("{error:#}").contains(&missing), "{error:#}");
}
