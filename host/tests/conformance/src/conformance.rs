//! The cases.

#![allow(missing_docs, reason = "the name of a test is the behaviour it holds")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gristmill_core::model::{Event, Header, Partition, Progress, Timestamp};
use gristmill_core::ports::{Demand, Record, Signal, SinkError, Source};

use crate::harness::{
    Harness, PATIENCE, Settles, assigned, event, events, numbered, payload, payloads, settle, signal,
};

pub async fn every_event_arrives<B: Harness>() {
    let harness = B::fresh(3).await;
    harness.write(&numbered(0..200)).await;
    let mut source = harness.source();
    let arrived = events(source.as_mut(), 200).await;
    assert_eq!(payloads(&arrived), numbered(0..200));
    source.close().await.unwrap();
}

pub async fn unsettled_events_are_redelivered_after_a_close<B: Harness>() {
    let harness = B::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    for _ in 0..2 {
        let mut source = harness.source();
        assert_eq!(payloads(&events(source.as_mut(), 20).await), numbered(0..20));
        source.close().await.unwrap();
    }
    assert_eq!(harness.committed().await, BTreeMap::new());
}

pub async fn settled_events_are_not_redelivered<B: Harness>() {
    let harness = B::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    let mut source = harness.source();
    for arrived in events(source.as_mut(), 20).await {
        settle(source.as_mut(), &arrived);
    }
    source.close().await.unwrap();
    harness.write(&numbered(20..21)).await;
    let mut again = harness.source();
    assert_eq!(payload(&event(again.as_mut()).await), "00020");
    again.close().await.unwrap();
}

pub async fn settlements_are_committed_without_a_close<B: Harness>() {
    let harness = B::fresh(1).await;
    harness.write(&numbered(0..5)).await;
    let mut source = harness.source();
    for arrived in events(source.as_mut(), 5).await {
        settle(source.as_mut(), &arrived);
    }
    harness.until_committed(5).await;
    assert_eq!(harness.committed().await, BTreeMap::from([(0, 5)]));
    source.close().await.unwrap();
}

pub async fn a_hole_is_never_committed<B: Harness>() {
    let harness = B::fresh(1).await;
    harness.write(&numbered(0..4)).await;
    let mut source = harness.source();
    let arrived = events(source.as_mut(), 4).await;
    let mut progress = Progress::new(arrived[0].generation);
    for event in &arrived {
        progress.start(event.id.position);
    }
    // The third and the first are done, the second never is.
    for done in [&arrived[2], &arrived[0]] {
        let below = progress.finish(done.generation, done.id.position);
        source.settle(&done.id.partition, &[done.id.position], below).unwrap();
    }
    source.close().await.unwrap();
    let mut again = harness.source();
    let expected = match B::SETTLES {
        Settles::UpTo => numbered(1..4),
        Settles::Each => [numbered(1..2), numbered(3..4)].concat(),
    };
    let come_again: Vec<String> = events(again.as_mut(), expected.len()).await.iter().map(payload).collect();
    assert_eq!(come_again, expected, "the unsettled ones and, by offsets, all behind the first of them");
    again.close().await.unwrap();
}

pub async fn control_only_delivers_a_revocation_and_no_event<B: Harness>() {
    let harness = B::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    let mut first = harness.source();
    // Events have arrived, so there would be something to deliver.
    event(first.as_mut()).await;
    let mut second = harness.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(second.as_mut()).await;
        (second, partitions)
    });
    loop {
        match signal(first.as_mut(), Demand::ControlOnly).await {
            Signal::Events(events) => panic!("events were not requested: {events:?}"),
            Signal::Revoked { partitions, ack } => {
                assert!(!partitions.is_empty());
                ack.send(()).unwrap();
                break;
            }
            Signal::Assigned { .. } | Signal::Lag { .. } | Signal::Notice(_) => {}
        }
    }
    // The first member has to keep up with the group until the second has joined it.
    let mut second = while_attending(first.as_mut(), joined).await.0;
    second.close().await.unwrap();
    first.close().await.unwrap();
}

/// A partition that went from one member to another.
struct Handover {
    old: Box<dyn Source>,
    new: Box<dyn Source>,
    partition: Partition,
    /// Its events as the old owner saw them, none settled by it and all by the new one.
    seen: Vec<Event>,
}

async fn handover<B: Harness>(harness: &B) -> Handover {
    harness.write(&numbered(0..20)).await;
    let mut old = harness.source();
    let mut seen = events(old.as_mut(), 20).await;
    let mut new = harness.source();
    let joined = tokio::spawn(async move {
        let partition = assigned(new.as_mut()).await.remove(0);
        (new, partition)
    });
    let (mut new, partition) = while_attending(old.as_mut(), joined).await;
    seen.retain(|event| event.id.partition == partition);
    for _ in &seen {
        let arrived = event(new.as_mut()).await;
        settle(new.as_mut(), &arrived);
    }
    Handover { old, new, partition, seen }
}

pub async fn the_old_owner_of_a_partition_cannot_settle_in_it<B: Harness>() {
    let harness = B::fresh(2).await;
    let Handover { mut old, mut new, partition, seen } = handover(&harness).await;
    let all = seen.len() as u128;
    harness.until_committed(all).await;

    settle(old.as_mut(), &seen[0]);
    old.close().await.unwrap();
    assert_eq!(harness.committed().await.get(&partition.index), Some(&all), "the old owner set the group back");
    new.close().await.unwrap();
    assert_eq!(harness.committed().await.get(&partition.index), Some(&all));
}

pub async fn a_partition_that_comes_back_is_not_set_back<B: Harness>() {
    let harness = B::fresh(2).await;
    let Handover { mut old, mut new, partition, seen } = handover(&harness).await;
    new.close().await.unwrap();
    while !assigned(old.as_mut()).await.contains(&partition) {}
    // It continues to read there, and late work of the first assignment ends under the second.
    harness.write(&numbered(20..60)).await;
    while event(old.as_mut()).await.id.partition != partition {}
    settle(old.as_mut(), &seen[0]);
    old.close().await.unwrap();
    assert_eq!(harness.committed().await.get(&partition.index), Some(&(seen.len() as u128)));
}

pub async fn two_members_share_the_work<B: Harness>() {
    let harness = B::fresh(4).await;
    let mut first = harness.source();
    assert_eq!(assigned(first.as_mut()).await.len(), 4);
    let mut second = harness.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(second.as_mut()).await;
        (second, partitions)
    });
    let (mut second, partitions) = while_attending(first.as_mut(), joined).await;
    assert_eq!(partitions.len(), 2, "each has its half");
    harness.write(&numbered(0..100)).await;
    let (mut by_first, mut by_second) = (BTreeSet::new(), BTreeSet::new());
    while by_first.len() + by_second.len() < 100 {
        tokio::select! {
            arrived = event(first.as_mut()) => assert!(by_first.insert(payload(&arrived)), "was delivered twice"),
            arrived = event(second.as_mut()) => assert!(by_second.insert(payload(&arrived)), "was delivered twice"),
        }
    }
    assert!(!by_first.is_empty() && !by_second.is_empty());
    assert_eq!(by_first.union(&by_second).cloned().collect::<Vec<_>>(), numbered(0..100));
    first.close().await.unwrap();
    second.close().await.unwrap();
}

pub async fn what_is_held_of_a_revoked_partition_holds_up_no_other<B: Harness>() {
    let harness = B::fresh(2).await;
    harness.write(&numbered(0..40)).await;
    let mut first = harness.source();
    // More of its partition arrived with it and is held.
    event(first.as_mut()).await;
    let mut second = harness.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(second.as_mut()).await;
        (second, partitions)
    });
    let mut second = while_attending(first.as_mut(), joined).await.0;
    harness.write(&numbered(40..80)).await;
    while payload(&event(first.as_mut()).await).as_str() < "00040" {}
    first.close().await.unwrap();
    second.close().await.unwrap();
}

pub async fn what_was_settled_before_the_acknowledgement_does_not_go_to_the_next_owner<B: Harness>() {
    let harness = B::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    let mut old = harness.source();
    let seen = events(old.as_mut(), 20).await;
    let mut new = harness.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(new.as_mut()).await;
        (new, partitions)
    });
    let taken = loop {
        if let Signal::Revoked { partitions, ack } = signal(old.as_mut(), Demand::ControlOnly).await {
            // The work on them finishes while the revocation waits.
            for event in seen.iter().filter(|event| partitions.contains(&event.id.partition)) {
                settle(old.as_mut(), event);
            }
            ack.send(()).unwrap();
            break partitions;
        }
    };
    let (mut new, partitions) = while_attending(old.as_mut(), joined).await;
    assert_eq!(partitions, taken);
    // Whatever the partition, the first record that the new owner sees there is a later one.
    harness.write(&numbered(20..60)).await;
    let arrived = event(new.as_mut()).await;
    assert!(payload(&arrived).as_str() >= "00020", "{} was delivered again", payload(&arrived));
    old.close().await.unwrap();
    new.close().await.unwrap();
}

pub async fn a_record_arrives_with_everything_it_has<B: Harness>() {
    let harness = B::fresh(1).await;
    let header =
        |name: &'static str, value: Option<&'static [u8]>| Header { name: name.into(), value: value.map(Bytes::from) };
    let large: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let full = harness.record("key", "value");
    let records = vec![
        Record {
            headers: vec![
                header("trace", Some(b"\x00\xff")),
                header("null", None),
                header("empty", Some(b"")),
                header("trace", Some(b"again")),
                header("gr\u{fc}n", Some(b"utf-8")),
            ],
            ..full.clone()
        },
        Record { key: None, ..full.clone() },
        Record { payload: None, ..full.clone() },
        Record { key: Some(Bytes::new()), payload: Some(Bytes::new()), ..full.clone() },
        Record { payload: Some(Bytes::from(large)), timestamp: Timestamp(1_234_567_890_123), ..full },
    ];
    harness.sink().deliver(records.clone()).await.unwrap();
    let mut source = harness.source();
    for (event, record) in events(source.as_mut(), records.len()).await.into_iter().zip(records) {
        let arrived = Record {
            topic: event.id.partition.topic,
            partition: None,
            key: event.key,
            payload: event.payload,
            headers: event.headers,
            timestamp: event.timestamp,
        };
        assert_eq!(arrived, record);
        assert_eq!(event.fault, None);
    }
    source.close().await.unwrap();
}

pub async fn the_order_of_each_key_is_kept<B: Harness>() {
    let harness = B::fresh(3).await;
    let sink = harness.sink();
    for batch in 0..4 {
        let range = batch * 500..(batch + 1) * 500;
        let records = range.map(|number| harness.record(&format!("{}", number % 10), &format!("{number:05}")));
        sink.deliver(records.collect()).await.unwrap();
    }
    let mut source = harness.source();
    let mut last: BTreeMap<Bytes, String> = BTreeMap::new();
    for arrived in events(source.as_mut(), 2_000).await {
        let (key, payload) = (arrived.key.clone().unwrap(), payload(&arrived));
        if let Some(before) = last.insert(key, payload.clone()) {
            assert!(before < payload, "{payload} came after {before}");
        }
    }
    source.close().await.unwrap();
}

pub async fn a_record_over_the_brokers_limit_is_rejected_alone<B: Harness>() {
    let harness = B::fresh(1).await;
    // Does not compress.
    let large: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(3 << 20).collect();
    let oversized = Record { payload: Some(Bytes::from(large)), ..harness.record("large", "") };
    let sink = harness.sink();
    let records = vec![harness.record("a", "00000"), oversized, harness.record("b", "00001")];
    let refused = sink.deliver(records).await;
    assert!(matches!(&refused, Err(SinkError::Refused { topic, .. }) if **topic == *harness.topic()), "{refused:?}");
    sink.deliver(vec![harness.record("c", "00002")]).await.unwrap();
    let mut source = harness.source();
    assert_eq!(payloads(&events(source.as_mut(), 3).await), numbered(0..3));
    source.close().await.unwrap();
}

/// Waits for a task and acknowledges every revocation of `source` meanwhile, as the flow would.
pub async fn while_attending<T>(source: &mut dyn Source, task: tokio::task::JoinHandle<T>) -> T {
    let attend = async {
        loop {
            if let Signal::Revoked { ack, .. } = source.recv(Demand::ControlOnly).await.unwrap() {
                ack.send(()).unwrap();
            }
        }
    };
    tokio::select! {
        done = tokio::time::timeout(PATIENCE, task) => done.expect("the task did not end").unwrap(),
        () = attend => unreachable!("attending never ends"),
    }
}
