//! The oracle: sends numbered events, knows the place of each, and accounts for what happened to them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::harness::Harness;
use crate::reader::Seen;

/// Where an event is in the source topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// The number of keys: enough to spread events over all partitions.
const KEYS: usize = 1009;

/// The sender of the events of one run.
pub(crate) struct Oracle {
    run: String,
    topic: String,
    producer: FutureProducer,
    /// The place of each event, by number.
    sent: Mutex<Vec<Place>>,
}

/// What happened to the events.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) events: usize,
    /// The numbers of events that did not arrive.
    pub(crate) lost: Vec<usize>,
    /// Records beyond the first of each event.
    pub(crate) repeated: usize,
    /// Records that were not sent, or arrived changed.
    pub(crate) wrong: Vec<String>,
}

impl Account {
    /// Fails unless every event arrived unchanged and with the job id of its place. Then deduplication by job id leaves
    /// each event exactly once.
    pub(crate) fn must_be_complete(&self) {
        let first: Vec<&usize> = self.lost.iter().take(10).collect();
        assert!(self.lost.is_empty(), "{} of {} events are lost, first {first:?}", self.lost.len(), self.events);
        assert!(self.wrong.is_empty(), "{} records are wrong, first {}", self.wrong.len(), self.wrong[0]);
    }
}

impl Oracle {
    pub(crate) fn new(harness: &Harness) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &harness.settings.brokers);
        // The oracle itself must not repeat events.
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "2");
        let producer = config.create().unwrap();
        Self { run: harness.name.clone(), topic: harness.topic("in"), producer, sent: Mutex::default() }
    }

    /// How many events there are.
    pub(crate) fn events(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Sends this many further events as JSON. Returns when all are acknowledged.
    pub(crate) async fn send(&self, events: usize) {
        self.send_as("application/json", events, |event| event).await;
    }

    /// Like [`Oracle::send`], but `dress` turns each event into the payload that the stages expect.
    pub(crate) async fn send_as(&self, content_type: &str, events: usize, dress: impl Fn(String) -> String) {
        let first = self.events();
        let mut pending = Vec::with_capacity(events);
        for seq in first..first + events {
            let (key, event) = self.event(seq);
            let payload = dress(event);
            let headers = OwnedHeaders::new().insert(Header { key: "content-type", value: Some(content_type) });
            let record = FutureRecord::to(&self.topic).key(&key).payload(&payload).headers(headers);
            pending.push(self.producer.send_result(record).map_err(|(error, _)| error).unwrap());
        }
        for delivery in pending {
            let delivered = delivery.await.unwrap().map_err(|(error, _)| error).unwrap();
            let (partition, offset) = (delivered.partition.unsigned_abs(), delivered.offset.unsigned_abs());
            self.sent.lock().unwrap().push(Place { partition, offset });
        }
    }

    /// Key and payload of an event.
    fn event(&self, seq: usize) -> (String, String) {
        let key = format!("key-{}", seq % KEYS);
        let body = format!("event number {seq} of {}", self.run).repeat(3);
        let sha256 = digest(&self.run, seq as u64, &key, &body);
        let event = json!({"run": self.run, "seq": seq, "key": key, "body": body, "sha256": sha256});
        (key, event.to_string())
    }

    /// Sends events until `stop`, whenever fewer than `backlog` are unsettled, and at most `rate` per second.
    pub(crate) async fn feed(&self, harness: &Harness, backlog: usize, rate: usize, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !*stop.borrow() {
            let waiting = self.events().saturating_sub(usize::try_from(harness.settled()).unwrap());
            if waiting < backlog {
                self.send(rate.div_ceil(10).min(backlog)).await;
            }
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Accounts for the events. `out` was checked by payload, `dead` only by job id.
    pub(crate) fn account(&self, out: &Seen, dead: &Seen) -> Account {
        let sent = self.sent.lock().unwrap();
        let by_place: HashMap<Place, usize> = sent.iter().enumerate().map(|(seq, place)| (*place, seq)).collect();
        let mut wrong = out.wrong.clone();
        for (place, seq) in &out.numbers {
            if by_place.get(place) != Some(&usize::try_from(*seq).unwrap()) {
                wrong.push(format!("event {seq} has the job id of {place:?}"));
            }
        }
        wrong.extend(dead.times.keys().filter(|place| !by_place.contains_key(place)).map(|p| format!("dead: {p:?}")));
        let is_lost = |place: &Place| !out.times.contains_key(place) && !dead.times.contains_key(place);
        let lost = sent.iter().enumerate().filter(|(_, place)| is_lost(place)).map(|(seq, _)| seq).collect();
        let records: usize = out.times.values().chain(dead.times.values()).map(|times| *times as usize).sum();
        let mut places: Vec<&Place> = out.times.keys().chain(dead.times.keys()).collect();
        places.sort_unstable();
        places.dedup();
        Account { events: sent.len(), lost, repeated: records - places.len(), wrong }
    }
}

/// The number of an event of this run, if it is unchanged.
pub(crate) fn number(run: &str, payload: &[u8]) -> Option<u64> {
    let event: Value = serde_json::from_slice(payload).ok()?;
    let seq = event["seq"].as_u64()?;
    let sha256 = digest(event["run"].as_str()?, seq, event["key"].as_str()?, event["body"].as_str()?);
    (event["run"] == run && event["sha256"] == sha256.as_str()).then_some(seq)
}

fn digest(run: &str, seq: u64, key: &str, body: &str) -> String {
    let hash = Sha256::digest(format!("{run} {seq} {key} {body}"));
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
