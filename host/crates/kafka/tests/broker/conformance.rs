//! What every source and sink has to do, whatever the broker. A broker joins by a [`Bench`] and one line at the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gristmill_core::model::{Event, Header, Progress, Timestamp};
use gristmill_core::ports::{Demand, Record, Signal, SinkError};

use crate::bench::{Bench, PATIENCE, assigned, event, events, numbered, payload, payloads, settle, signal};

pub(crate) async fn every_event_arrives<B: Bench>() {
    let bench = B::fresh(3).await;
    bench.write(&numbered(0..200)).await;
    let mut source = bench.source();
    let arrived = events(source.as_mut(), 200).await;
    assert_eq!(payloads(&arrived), numbered(0..200));
    source.close().await.unwrap();
}

pub(crate) async fn unsettled_events_come_again_after_a_close<B: Bench>() {
    let bench = B::fresh(2).await;
    bench.write(&numbered(0..20)).await;
    for _ in 0..2 {
        let mut source = bench.source();
        assert_eq!(payloads(&events(source.as_mut(), 20).await), numbered(0..20));
        source.close().await.unwrap();
    }
    assert_eq!(bench.committed().await, BTreeMap::new());
}

pub(crate) async fn settled_events_do_not_come_again<B: Bench>() {
    let bench = B::fresh(2).await;
    bench.write(&numbered(0..20)).await;
    let mut source = bench.source();
    for arrived in events(source.as_mut(), 20).await {
        settle(source.as_mut(), &arrived);
    }
    source.close().await.unwrap();
    bench.write(&numbered(20..21)).await;
    let mut again = bench.source();
    assert_eq!(payload(&event(again.as_mut()).await), "00020");
    again.close().await.unwrap();
}

pub(crate) async fn settlements_become_known_without_a_close<B: Bench>() {
    let bench = B::fresh(1).await;
    bench.write(&numbered(0..5)).await;
    let mut source = bench.source();
    for arrived in events(source.as_mut(), 5).await {
        settle(source.as_mut(), &arrived);
    }
    bench.until_committed(5).await;
    assert_eq!(bench.committed().await, BTreeMap::from([(0, 5)]));
    source.close().await.unwrap();
}

pub(crate) async fn a_hole_is_never_committed<B: Bench>() {
    let bench = B::fresh(1).await;
    bench.write(&numbered(0..4)).await;
    let mut source = bench.source();
    let arrived = events(source.as_mut(), 4).await;
    let mut progress = Progress::new(arrived[0].generation);
    for event in &arrived {
        progress.start(event.id.position);
    }
    // The third and the first are done, the second never is.
    for done in [&arrived[2], &arrived[0]] {
        source.settle(&done.id, progress.finish(done.generation, done.id.position)).unwrap();
    }
    source.close().await.unwrap();
    let mut again = bench.source();
    let expected = numbered(1..4);
    let come_again: Vec<String> = events(again.as_mut(), 3).await.iter().map(payload).collect();
    assert_eq!(come_again, expected, "the unsettled one and, by offsets, all behind it");
    again.close().await.unwrap();
}

pub(crate) async fn control_only_delivers_a_revocation_and_no_event<B: Bench>() {
    let bench = B::fresh(2).await;
    bench.write(&numbered(0..20)).await;
    let mut first = bench.source();
    // Events are here: there would be something to deliver.
    event(first.as_mut()).await;
    let mut second = bench.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(second.as_mut()).await;
        (second, partitions)
    });
    loop {
        match signal(first.as_mut(), Demand::ControlOnly).await {
            Signal::Event(event) => panic!("an event was not asked for: {}", event.id),
            Signal::Revoked { partitions, ack } => {
                assert!(!partitions.is_empty());
                ack.send(()).unwrap();
                break;
            }
            Signal::Assigned { .. } | Signal::Lag { .. } => {}
        }
    }
    // The first member has to keep up with the group until the second has joined it.
    let mut second = while_attending(first.as_mut(), joined).await.0;
    second.close().await.unwrap();
    first.close().await.unwrap();
}

pub(crate) async fn the_old_owner_of_a_partition_cannot_settle_in_it<B: Bench>() {
    let bench = B::fresh(2).await;
    bench.write(&numbered(0..20)).await;
    let mut old = bench.source();
    let seen = events(old.as_mut(), 20).await;
    let mut new = bench.source();
    let joined = tokio::spawn(async move {
        let partition = assigned(new.as_mut()).await.remove(0);
        (new, partition)
    });
    let (mut new, partition) = while_attending(old.as_mut(), joined).await;
    let in_partition: Vec<&Event> = seen.iter().filter(|event| event.id.partition == partition).collect();
    for _ in &in_partition {
        let arrived = event(new.as_mut()).await;
        settle(new.as_mut(), &arrived);
    }
    let all = in_partition.len() as u128;
    bench.until_committed(all).await;

    settle(old.as_mut(), in_partition[0]);
    old.close().await.unwrap();
    assert_eq!(bench.committed().await.get(&partition.index), Some(&all), "the old owner set the group back");
    new.close().await.unwrap();
    assert_eq!(bench.committed().await.get(&partition.index), Some(&all));
}

pub(crate) async fn a_partition_that_comes_back_is_not_set_back<B: Bench>() {
    let bench = B::fresh(2).await;
    bench.write(&numbered(0..20)).await;
    let mut old = bench.source();
    let seen = events(old.as_mut(), 20).await;
    let mut new = bench.source();
    let joined = tokio::spawn(async move {
        let partition = assigned(new.as_mut()).await.remove(0);
        (new, partition)
    });
    let (mut new, partition) = while_attending(old.as_mut(), joined).await;
    let in_partition: Vec<&Event> = seen.iter().filter(|event| event.id.partition == partition).collect();
    for _ in &in_partition {
        let arrived = event(new.as_mut()).await;
        settle(new.as_mut(), &arrived);
    }
    new.close().await.unwrap();
    while !assigned(old.as_mut()).await.contains(&partition) {}
    // It reads on there, and late work of the first time ends under the second.
    bench.write(&numbered(20..60)).await;
    while event(old.as_mut()).await.id.partition != partition {}
    settle(old.as_mut(), in_partition[0]);
    old.close().await.unwrap();
    assert_eq!(bench.committed().await.get(&partition.index), Some(&(in_partition.len() as u128)));
}

pub(crate) async fn two_members_share_the_work<B: Bench>() {
    let bench = B::fresh(4).await;
    let mut first = bench.source();
    assert_eq!(assigned(first.as_mut()).await.len(), 4);
    let mut second = bench.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(second.as_mut()).await;
        (second, partitions)
    });
    let (mut second, partitions) = while_attending(first.as_mut(), joined).await;
    assert_eq!(partitions.len(), 2, "each has its half");
    bench.write(&numbered(0..100)).await;
    let (mut by_first, mut by_second) = (BTreeSet::new(), BTreeSet::new());
    while by_first.len() + by_second.len() < 100 {
        tokio::select! {
            arrived = event(first.as_mut()) => assert!(by_first.insert(payload(&arrived)), "came twice"),
            arrived = event(second.as_mut()) => assert!(by_second.insert(payload(&arrived)), "came twice"),
        }
    }
    assert!(!by_first.is_empty() && !by_second.is_empty());
    assert_eq!(by_first.union(&by_second).cloned().collect::<Vec<_>>(), numbered(0..100));
    first.close().await.unwrap();
    second.close().await.unwrap();
}

pub(crate) async fn what_was_settled_before_the_acknowledgement_does_not_go_to_the_next_owner<B: Bench>() {
    let bench = B::fresh(2).await;
    bench.write(&numbered(0..20)).await;
    let mut old = bench.source();
    let seen = events(old.as_mut(), 20).await;
    let mut new = bench.source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(new.as_mut()).await;
        (new, partitions)
    });
    let taken = loop {
        if let Signal::Revoked { partitions, ack } = signal(old.as_mut(), Demand::ControlOnly).await {
            // The work on them ends while the revocation waits.
            for event in seen.iter().filter(|event| partitions.contains(&event.id.partition)) {
                settle(old.as_mut(), event);
            }
            ack.send(()).unwrap();
            break partitions;
        }
    };
    let (mut new, partitions) = while_attending(old.as_mut(), joined).await;
    assert_eq!(partitions, taken);
    // Whatever its partition, a later record is the first that the new owner sees there.
    bench.write(&numbered(20..60)).await;
    let arrived = event(new.as_mut()).await;
    assert!(payload(&arrived).as_str() >= "00020", "{} came again", payload(&arrived));
    old.close().await.unwrap();
    new.close().await.unwrap();
}

pub(crate) async fn a_record_survives_with_all_it_has<B: Bench>() {
    let bench = B::fresh(1).await;
    let header = |name: &str, value: Option<&'static [u8]>| Header { name: name.into(), value: value.map(Bytes::from) };
    let large: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let full = bench.record("key", "value");
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
    bench.sink().deliver(records.clone()).await.unwrap();
    let mut source = bench.source();
    for (event, record) in events(source.as_mut(), records.len()).await.into_iter().zip(records) {
        let arrived = Record {
            topic: event.id.partition.topic,
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

pub(crate) async fn the_order_of_each_key_is_kept<B: Bench>() {
    let bench = B::fresh(3).await;
    let sink = bench.sink();
    for batch in 0..4 {
        let range = batch * 500..(batch + 1) * 500;
        let records = range.map(|number| bench.record(&format!("{}", number % 10), &format!("{number:05}")));
        sink.deliver(records.collect()).await.unwrap();
    }
    let mut source = bench.source();
    let mut last: BTreeMap<Bytes, String> = BTreeMap::new();
    for arrived in events(source.as_mut(), 2_000).await {
        let (key, payload) = (arrived.key.clone().unwrap(), payload(&arrived));
        if let Some(before) = last.insert(key, payload.clone()) {
            assert!(before < payload, "{payload} came after {before}");
        }
    }
    source.close().await.unwrap();
}

pub(crate) async fn a_record_over_the_brokers_limit_is_refused_alone<B: Bench>() {
    let bench = B::fresh(1).await;
    // Does not compress.
    let large: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(3 << 20).collect();
    let oversized = Record { payload: Some(Bytes::from(large)), ..bench.record("large", "") };
    let sink = bench.sink();
    let records = vec![bench.record("a", "00000"), oversized, bench.record("b", "00001")];
    let refused = sink.deliver(records).await;
    assert!(matches!(&refused, Err(SinkError::Refused { topic, .. }) if **topic == *bench.topic()), "{refused:?}");
    sink.deliver(vec![bench.record("c", "00002")]).await.unwrap();
    let mut source = bench.source();
    assert_eq!(payloads(&events(source.as_mut(), 3).await), numbered(0..3));
    source.close().await.unwrap();
}

/// Waits for a task and agrees to every rebalance of `source` meanwhile, as the flow would.
pub(crate) async fn while_attending<T>(
    source: &mut dyn gristmill_core::ports::Source,
    task: tokio::task::JoinHandle<T>,
) -> T {
    let attend = async {
        loop {
            if let Signal::Revoked { ack, .. } = source.recv(Demand::ControlOnly).await.unwrap() {
                ack.send(()).unwrap();
            }
        }
    };
    tokio::select! {
        done = tokio::time::timeout(PATIENCE, task) => done.expect("the task did not end").unwrap(),
        () = attend => unreachable!("attending has no end"),
    }
}

/// Makes the named tests for one bench.
macro_rules! conformance {
    ($bench:ty: $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::conformance::$test::<$bench>().await;
            }
        )+
    };
}
pub(crate) use conformance;
