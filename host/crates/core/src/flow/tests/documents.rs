//! Documents over their generations: what a reader that compacts by key ends with, whatever breaks in between.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::play::Effects;
use super::seconds;
use super::server::Server;
use super::world::Obedient;
use crate::flow::settings::{DeadLetter, DocumentName, Limits, Order, RetryPolicy, Tombstones, Transactions};
use crate::flow::{Delivery, Deployment, Handle, Pipeline, Step, Waits, run};
use crate::model::{
    DocumentGeneration, DocumentId, Event, EventId, Generation, Header, History, Next, Partition, Plan, Position,
    RecordGeneration, Sampling, Timestamp,
};
use crate::ports::{
    Batch, Batching, Demand, Documents, Letters, LettersError, Observers, Placed, Record, Remembered, Signal, Sink,
    SinkError, Source, SourceError, StoreError, TransactionError, Transactor,
};
use crate::settings::TopicName;

/// What the store knows of a document: its last records, and its items with the generation that wrote them.
type Noted = (History, BTreeMap<Placed, DocumentGeneration>);

/// What outlives a host: the topics, the committed offset, and the store.
#[derive(Default)]
pub(super) struct World {
    /// The records of all topics, compacted by key; tombstones remove.
    index: Mutex<BTreeMap<String, String>>,
    /// Every record, as "topic key payload".
    written: Mutex<Vec<String>>,
    pub(super) committed: Mutex<u128>,
    documents: Mutex<HashMap<DocumentId, Noted>>,
    /// How many more effects the present host lives to have.
    left: Mutex<usize>,
    /// Whether notes that nobody waits for are lost.
    loses_notes: bool,
}

impl World {
    /// The host dies before its next effect if its time has come.
    async fn live(&self) {
        let left = self.left.lock().unwrap().checked_sub(1);
        match left {
            Some(left) => *self.left.lock().unwrap() = left,
            None => std::future::pending().await,
        }
    }

    fn write(&self, record: &Record) {
        let text = |bytes: Option<&Bytes>| String::from_utf8_lossy(bytes.map_or(b"-", |bytes| bytes)).into_owned();
        let key = format!("{} {}", record.topic, text(record.key.as_ref()));
        self.written.lock().unwrap().push(format!("{key} {}", text(record.payload.as_ref())));
        match &record.payload {
            Some(_) => self.index.lock().unwrap().insert(key, text(record.payload.as_ref())),
            None => self.index.lock().unwrap().remove(&key),
        };
    }

    pub(super) fn index(&self) -> Vec<String> {
        self.index.lock().unwrap().iter().map(|(key, payload)| format!("{key} {payload}")).collect()
    }

    pub(super) fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }
}

struct Host(Arc<World>);

/// One dead letter: an event that was the first of its topic.
#[async_trait]
impl Letters for Host {
    async fn find(&self, place: &EventId) -> Result<Option<Event>, LettersError> {
        let header = |name: &'static str, value: &'static str| Header {
            name: name.into(),
            value: Some(Bytes::from_static(value.as_bytes())),
        };
        Ok(Some(Event {
            id: place.clone(),
            generation: Generation::default(),
            key: Some(Bytes::from_static(b"d")),
            payload: Some(Bytes::from_static(b"split old older")),
            headers: vec![
                header("failure_reason", "rejected"),
                header("gristmill-job-id", "p/in/0/0"),
                header("gristmill-source-time", "1000"),
            ],
            timestamp: Timestamp(9_000),
            deliveries: None,
            fault: None,
        }))
    }
}

#[async_trait]
impl Sink for Host {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        for record in records {
            self.0.live().await;
            self.0.write(&record);
        }
        self.0.live().await;
        Ok(())
    }
}

#[async_trait]
impl Transactor for Host {
    async fn commit(&self, batch: Batch) -> Result<(), TransactionError> {
        self.0.live().await;
        batch.records.iter().for_each(|record| self.0.write(record));
        for settled in batch.settled {
            *self.0.committed.lock().unwrap() = settled.below.0;
        }
        self.0.live().await;
        Ok(())
    }
}

#[async_trait]
impl Documents for Host {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let documents = self.0.documents.lock().unwrap();
        let found = documents.get(document);
        Ok(found.map_or_else(Remembered::default, |(history, placed)| Remembered {
            history: history.clone(),
            placed: placed.keys().cloned().collect(),
        }))
    }

    async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        self.0.live().await;
        {
            let mut documents = self.0.documents.lock().unwrap();
            let (history, placed) = documents.entry(document.clone()).or_default();
            for item in items {
                let by = placed.entry(item.clone()).or_insert(begun.generation);
                *by = begun.generation.max(*by);
            }
            if history.begun.as_ref().is_none_or(|before| before.generation <= begun.generation) {
                history.begun = Some(begun.clone());
            }
        }
        self.0.live().await;
        Ok(())
    }

    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        if !self.0.loses_notes {
            let mut documents = self.0.documents.lock().unwrap();
            let (history, placed) = documents.entry(document.clone()).or_default();
            if history.last.as_ref().is_none_or(|before| before.generation <= last.generation) {
                placed.retain(|_, by| *by >= last.generation);
                history.last = Some(last);
            }
        }
        Ok(())
    }
}

/// A record of the source topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) key: Option<&'static str>,
    pub(super) payload: Option<&'static str>,
    pub(super) headers: &'static [(&'static str, &'static str)],
}

pub(super) const fn sent(key: &'static str, payload: &'static str) -> Sent {
    Sent { key: Some(key), payload: Some(payload), headers: &[] }
}

pub(super) const fn deleted(key: &'static str) -> Sent {
    Sent { key: Some(key), payload: None, headers: &[] }
}

struct Topic {
    world: Arc<World>,
    records: Vec<Sent>,
    next: Option<usize>,
    clock: fn(usize) -> i64,
    handle: Handle,
}

#[async_trait]
impl Source for Topic {
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError> {
        let partition = Partition { topic: "in".into(), index: 0 };
        let committed = usize::try_from(*self.world.committed.lock().unwrap()).unwrap();
        let Some(next) = self.next else {
            self.next = Some(committed);
            return Ok(Signal::Assigned { partitions: vec![partition], generation: Generation(1), all: 1 });
        };
        if committed == self.records.len() {
            self.handle.drain();
        }
        let Some(record) = self.records.get(next).filter(|_| demand != Demand::ControlOnly) else {
            tokio::time::sleep(seconds(1)).await;
            return Ok(Signal::Lag { partition, records: 0 });
        };
        self.next = Some(next + 1);
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).to_owned().into(),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        };
        Ok(Signal::Events(vec![Event {
            id: EventId { partition, position: Position(next as u128) },
            generation: Generation(1),
            key: record.key.map(|key| Bytes::from_static(key.as_bytes())),
            payload: record.payload.map(|payload| Bytes::from_static(payload.as_bytes())),
            headers: record.headers.iter().map(header).collect(),
            timestamp: Timestamp((self.clock)(next)),
            deliveries: None,
            fault: None,
        }]))
    }

    fn settle(&mut self, _: &Partition, _: &[Position], below: Option<Next>) -> Result<(), SourceError> {
        if let Some(below) = below.filter(|_| *self.world.left.lock().unwrap() > 0) {
            *self.world.committed.lock().unwrap() = below.0;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        Ok(())
    }
}

/// How the pipeline is configured.
pub(super) struct Config {
    pub(super) by_item: bool,
    pub(super) exactly_once: bool,
    pub(super) document: DocumentName,
    pub(super) tombstones: Tombstones,
    pub(super) plan: fn(&mut Plan),
    /// The time of each record, in milliseconds.
    pub(super) clock: fn(usize) -> i64,
}

pub(super) const BY_ITEM: Config = Config {
    by_item: true,
    exactly_once: false,
    document: DocumentName::Key,
    tombstones: Tombstones::Pass,
    plan: |_| {},
    clock: |number| 1_000 + i64::try_from(number).unwrap(),
};

/// Runs one host until everything is committed, or until it dies.
async fn run_host(world: &Arc<World>, config: &Config, records: &[Sent]) {
    let (handle, commands) = Handle::new(CancellationToken::new());
    let effects = Effects { begun: Instant::now(), lines: Arc::default() };
    let server = Arc::new(Server::new(effects.begun, seconds(0)..seconds(0)));
    let step = Step {
        waits: Waits::Never,
        name: "s0".into(),
        stage: Arc::new(Obedient { effects, log_calls: false, version: 1, server, batch: Batching::NONE }),
        digest: "d1".into(),
        retry: RetryPolicy::default(),
        checkpoint: None,
    };
    let mut plan = Plan::straight(&["s0"]);
    (config.plan)(&mut plan);
    let deployment = Deployment::new(1, Arc::new(plan), vec![step], None);
    let host = Arc::new(Host(Arc::clone(world)));
    let pipeline = Pipeline {
        name: "p".into(),
        content_type: None,
        document: config.document.clone(),
        tombstones: config.tombstones,
        documents: config.by_item.then(|| Arc::clone(&host) as Arc<dyn Documents>),
        delivery: match config.exactly_once {
            false => Delivery::AtLeastOnce(Arc::<Host>::clone(&host)),
            true => Delivery::ExactlyOnce {
                transactor: Arc::<Host>::clone(&host),
                bounds: Transactions { max_wait: seconds(1), ..Transactions::default() },
            },
        },
        output_topic: "out".into(),
        dead_letter: DeadLetter { topic: TopicName::new("dead").unwrap(), connect_headers: false },
        letters: host,
        order: Order::Key,
        store: None,
        recording: None,
        offload: None,
        accounts: None,
        sampling: Sampling::default(),
        clock: || Timestamp(0),
        observer: Arc::new(Observers::default()),
        limits: Limits::default(),
    };
    let mut source =
        Topic { world: Arc::clone(world), records: records.to_vec(), next: None, clock: config.clock, handle };
    let flow = run(&mut source, Arc::new(pipeline), Arc::new(deployment), commands);
    // A host that does not end is dead.
    if let Ok(ended) = tokio::time::timeout(seconds(600), flow).await {
        ended.unwrap();
    }
}

pub(super) async fn play(config: &Config, records: &[Sent]) -> Arc<World> {
    let world = Arc::new(World { left: Mutex::new(usize::MAX), ..World::default() });
    run_host(&world, config, records).await;
    world
}

const THREE: [Sent; 5] = [
    sent("d", "split a b c d e f g h i j k l"),
    sent("other", "x"),
    sent("d", "split A B C D E F G"),
    sent("e", "split 1 2"),
    sent("e", "drop"),
];

#[tokio::test(start_paused = true)]
async fn a_later_generation_replaces_the_earlier_one_and_its_tombstones_come_last() {
    let world = play(&BY_ITEM, &THREE).await;
    let expected: Vec<String> = ["A", "B", "C", "D", "E", "F", "G"]
        .iter()
        .enumerate()
        .map(|(ordinal, text)| format!("out d/s0.{ordinal} {text}"))
        .chain(["out other/s0.0 x".into()])
        .collect();
    assert_eq!(world.index(), expected);
    let written = world.written();
    let at = |line: &str| written.iter().position(|written| written == line).unwrap_or_else(|| panic!("{line}"));
    assert!(at("out d/s0.7 -") > at("out d/s0.6 G"), "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_compacts_by_key_ends_with_the_last_generation_wherever_hosts_die() {
    // Several producers, the later the slower its clock.
    const BACKWARDS: fn(usize) -> i64 = |number| 9_000 - 1_000 * i64::try_from(number).unwrap();
    let expected = play(&BY_ITEM, &THREE).await.index();
    for (exactly_once, clock) in [(false, BY_ITEM.clock), (true, BY_ITEM.clock), (false, BACKWARDS), (true, BACKWARDS)]
    {
        let config = Config { exactly_once, clock, ..BY_ITEM };
        for loses_notes in [false, true] {
            for first in 0..60 {
                for second in [usize::MAX, 0, 3] {
                    let world = Arc::new(World { loses_notes, ..World::default() });
                    for lives in [first, second, usize::MAX] {
                        *world.left.lock().unwrap() = lives;
                        run_host(&world, &config, &THREE).await;
                    }
                    assert_eq!(world.index(), expected, "{exactly_once} {} {loses_notes} {first} {second}", clock(0));
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_removes_every_item_of_its_document_and_no_other() {
    let records = [sent("d", "split a b c"), sent("e", "split x y"), deleted("d"), deleted("never-seen")];
    let world = play(&BY_ITEM, &records).await;
    assert_eq!(world.index(), ["out e/s0.0 x", "out e/s0.1 y"]);
    assert_eq!(world.written().len(), 5 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_generation_that_fails_leaves_the_earlier_one_in_place() {
    let world = play(&BY_ITEM, &[sent("d", "split a b c"), sent("d", "reject")]).await;
    assert_eq!(world.index(), ["dead d reject", "out d/s0.0 a", "out d/s0.1 b", "out d/s0.2 c"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_an_earlier_generation_does_not_replace_a_later_one() {
    // The record that replaced the document has a time before that of the one that is replayed.
    const SLOW: fn(usize) -> i64 = |number| if number == 0 { 1_000 } else { 100 };
    const REPLAY: &[(&str, &str)] = &[("gristmill-replay-of", "dead/0/0")];
    let replay = Sent { key: Some("d"), payload: Some("split old older"), headers: REPLAY };
    for (clock, loses_notes) in [(BY_ITEM.clock, false), (BY_ITEM.clock, true), (SLOW, false), (SLOW, true)] {
        let world = Arc::new(World { left: Mutex::new(usize::MAX), loses_notes, ..World::default() });
        let records = [sent("d", "reject"), sent("d", "split new"), replay];
        run_host(&world, &Config { clock, ..BY_ITEM }, &records).await;
        assert_eq!(world.index(), ["dead d reject", "out d/s0.0 new"], "{} {loses_notes}", clock(1));
    }
    let world = play(&BY_ITEM, &[sent("d", "reject"), sent("e", "split new"), replay]).await;
    assert!(world.index().contains(&"out d/s0.1 older".into()), "nothing came after it: {:?}", world.index());
}
