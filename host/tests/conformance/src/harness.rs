//! What the conformance tests need of a broker, and the steps they consist of.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gristmill_core::model::{Event, Partition, Timestamp};
use gristmill_core::ports::{Demand, Record, Signal, Sink, Source};

/// Longer than anything here takes, even on a busy machine: a wait that exceeds it has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a broker keeps what is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// As a position: everything before it is settled.
    UpTo,
    /// Each event by itself.
    Each,
}

/// A fresh topic and a fresh group on some broker.
#[async_trait]
pub trait Harness: Sized + Send + Sync {
    /// How it keeps what is settled.
    const SETTLES: Settles;

    /// With this many partitions. A broker without partitions may create fewer.
    async fn fresh(partitions: u16) -> Self;
    /// A new member of the group.
    fn source(&self) -> Box<dyn Source>;
    /// A producer.
    fn sink(&self) -> Box<dyn Sink>;
    /// The topic.
    fn topic(&self) -> &str;
    /// The first offset that is not settled as far as the broker knows, or how many events are settled, by partition.
    /// Partitions in which nothing was settled are missing.
    async fn committed(&self) -> BTreeMap<u32, u128>;

    /// A record for the topic.
    fn record(&self, key: &str, payload: &str) -> Record {
        Record {
            topic: self.topic().into(),
            partition: None,
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            payload: Some(Bytes::copy_from_slice(payload.as_bytes())),
            headers: Vec::new(),
            timestamp: Timestamp(1_700_000_000_000),
        }
    }

    /// Writes records with these payloads; each is its own key.
    async fn write(&self, payloads: &[String]) {
        let records = payloads.iter().map(|payload| self.record(payload, payload)).collect();
        self.sink().deliver(records).await.unwrap();
    }

    /// Waits until the committed offsets of all partitions add up to this.
    async fn until_committed(&self, sum: u128) {
        let reached = async {
            while self.committed().await.values().sum::<u128>() < sum {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the commit was never seen");
    }
}

/// The next signal of a source.
pub async fn signal(source: &mut dyn Source, demand: Demand) -> Signal {
    tokio::time::timeout(PATIENCE, unbounded(source, demand)).await.expect("no signal arrived")
}

/// Checks that nothing but lag is reported for this long.
pub async fn silence(source: &mut dyn Source, demand: Demand, time: Duration) {
    let signal = tokio::time::timeout(time, unbounded(source, demand)).await;
    assert!(signal.is_err(), "{signal:?}");
}

/// The next signal, however long it takes, except reports of lag: they arrive at any time and change nothing.
async fn unbounded(source: &mut dyn Source, demand: Demand) -> Signal {
    loop {
        match source.recv(demand).await.expect("the source ended") {
            Signal::Lag { .. } | Signal::Notice(_) => {}
            signal => return signal,
        }
    }
}

/// Waits until a source has partitions and returns them. Revocations before that are acknowledged.
pub async fn assigned(source: &mut dyn Source) -> Vec<Partition> {
    loop {
        match signal(source, Demand::ControlOnly).await {
            // A new member often has none at first.
            Signal::Assigned { partitions, .. } if !partitions.is_empty() => return partitions,
            Signal::Revoked { ack, .. } => ack.send(()).unwrap(),
            Signal::Events(events) => panic!("events were not requested: {events:?}"),
            Signal::Assigned { .. } | Signal::Lag { .. } | Signal::Notice(_) => {}
        }
    }
}

/// The next event of a source; revocations are acknowledged.
pub async fn event(source: &mut dyn Source) -> Event {
    loop {
        match signal(source, Demand::Events(NonZeroUsize::MIN)).await {
            Signal::Events(mut events) => return events.remove(0),
            Signal::Revoked { ack, .. } => ack.send(()).unwrap(),
            Signal::Assigned { .. } | Signal::Lag { .. } | Signal::Notice(_) => {}
        }
    }
}

/// The next `count` events.
pub async fn events(source: &mut dyn Source, count: usize) -> Vec<Event> {
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        events.push(event(source).await);
    }
    events
}

/// Settles an event and everything before it.
pub fn settle(source: &mut dyn Source, event: &Event) {
    source.settle(&event.id.partition, &[event.id.position], Some(event.id.position.next())).unwrap();
}

/// The payload as text.
pub fn payload(event: &Event) -> String {
    String::from_utf8(event.payload.clone().unwrap().to_vec()).unwrap()
}

/// The payloads, sorted: partitions have no order among them.
pub fn payloads(events: &[Event]) -> Vec<String> {
    let mut payloads: Vec<String> = events.iter().map(payload).collect();
    payloads.sort();
    payloads
}

/// One payload for each number, in the order of their text.
pub fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{number:05}")).collect()
}
