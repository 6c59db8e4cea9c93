//! Sends records from outside a pipeline and waits for their confirmation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::acks::Delivery;
use super::embedded::{for_embedded, is_embedded};
use super::guard::{self, Full, Unread, may_append};
use super::readers;
use super::settings::{Settings, SettingsError};
use super::sink::KafkaSink;
use gristmill_core::model::Size;
use gristmill_core::ports::{Record, SinkError};

/// How many records may be in flight at a time.
const IN_FLIGHT: usize = 1_000;
/// How often it is looked whether readers have made room. They commit every second.
const LOOK: Duration = Duration::from_millis(250);

/// Why not everything was sent.
#[derive(Debug, thiserror::Error)]
#[error("{acknowledged} records were sent, then sending stopped")]
pub struct SendError {
    /// How many were confirmed. Of those after them, up to a thousand may have arrived too.
    pub acknowledged: u64,
    /// What happened.
    #[source]
    pub reason: SendFault,
}

/// What stops sending.
#[derive(Debug, thiserror::Error)]
pub enum SendFault {
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The embedded broker would drop unread records, and nobody reads them.
    #[error(transparent)]
    Full(#[from] Full),
    /// A record was rejected, or the broker does not confirm it.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The kind of broker, or what is unread there, cannot be looked up.
    #[error("cannot look up what is unread on the broker")]
    Lookup(#[source] anyhow::Error),
}

/// Sends the records in order and returns their number when all are acknowledged. `progress` is called with the number
/// acknowledged so far. An embedded broker is never sent more than it keeps: this waits, without end, until the pipelines
/// that read the topic have made room. Where no pipeline does, it fails when there is no room: what the consumer group
/// `reader` has not read, or anything if that is `None`.
pub async fn send(
    settings: &Settings,
    reader: Option<&str>,
    records: impl IntoIterator<Item = Record>,
    mut progress: impl FnMut(u64),
) -> Result<u64, SendError> {
    let mut sending = match Sending::begin(settings, reader).await {
        Ok(sending) => sending,
        Err(reason) => {
            return Err(SendError { acknowledged: 0, reason });
        }
    };
    for record in records {
        if let Err(reason) = sending.push(&record, &mut progress).await {
            return Err(SendError { acknowledged: sending.acknowledged, reason });
        }
    }
    match sending.confirm_down_to(0, &mut progress).await {
        Ok(()) => Ok(sending.acknowledged),
        Err(reason) => Err(SendError { acknowledged: sending.acknowledged, reason }),
    }
}

struct Sending<'a> {
    settings: Settings,
    reader: Option<&'a str>,
    sink: KafkaSink,
    pending: VecDeque<Sent>,
    acknowledged: u64,
    /// The topics of an embedded broker and what is unread there; `None` for a real one.
    guarded: Option<BTreeMap<Arc<str>, Unread>>,
}

/// A record in flight, and what it counts once it has arrived.
struct Sent {
    topic: Arc<str>,
    cost: usize,
    delivery: Arc<Delivery>,
}

impl<'a> Sending<'a> {
    async fn begin(settings: &Settings, reader: Option<&'a str>) -> Result<Self, SendFault> {
        settings.check()?;
        let asked = settings.clone();
        let embedded = tokio::task::spawn_blocking(move || is_embedded(&asked)).await;
        let embedded = embedded.map_err(anyhow::Error::from).flatten().map_err(SendFault::Lookup)?;
        let settings = if embedded { for_embedded(settings) } else { settings.clone() };
        let sink = KafkaSink::open(&settings)?;
        let guarded = embedded.then(BTreeMap::new);
        Ok(Self { settings, reader, sink, pending: VecDeque::new(), acknowledged: 0, guarded })
    }

    async fn push(&mut self, record: &Record, progress: &mut impl FnMut(u64)) -> Result<(), SendFault> {
        self.confirm_down_to(IN_FLIGHT - 1, progress).await?;
        let cost = guard::cost(record.size());
        self.make_room(&record.topic, cost, progress).await?;
        let delivery = self.sink.send(record).await?;
        self.pending.push_back(Sent { topic: Arc::clone(&record.topic), cost, delivery });
        Ok(())
    }

    /// Returns when at most this many records are in flight.
    async fn confirm_down_to(&mut self, most: usize, progress: &mut impl FnMut(u64)) -> Result<(), SendFault> {
        while self.pending.len() > most {
            let Some(Sent { topic, cost, delivery }) = self.pending.pop_front() else {
                break;
            };
            let partition = delivery.acknowledged().await?;
            if let Some(unread) = self.guarded.as_mut().and_then(|topics| topics.get_mut(&topic)) {
                *unread.entry(partition).or_default() += cost;
            }
            self.acknowledged += 1;
            progress(self.acknowledged);
        }
        Ok(())
    }

    /// Waits until an embedded broker can keep the record. What is in flight counts for every partition, because the
    /// partition is only known on arrival. What the readers have read since the last look is looked up when the room runs
    /// out.
    async fn make_room(
        &mut self,
        topic: &Arc<str>,
        cost: usize,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), SendFault> {
        let Some(topics) = &self.guarded else { return Ok(()) };
        let in_flight: usize = self.pending.iter().map(|sent| sent.cost).sum();
        if let Some(unread) = topics.get(topic)
            && may_append(topic, unread, in_flight, cost).is_ok()
        {
            return Ok(());
        }
        self.confirm_down_to(0, progress).await?;
        loop {
            let (unread, is_read) = self.look(topic).await.map_err(SendFault::Lookup)?;
            let room = may_append(topic, &unread, 0, cost);
            if let Some(topics) = &mut self.guarded {
                topics.insert(Arc::clone(topic), unread);
            }
            match room {
                Err(_) if is_read => tokio::time::sleep(LOOK).await,
                room => return Ok(room?),
            }
        }
    }

    /// What is unread of a topic, and whether a pipeline reads it.
    async fn look(&self, topic: &str) -> anyhow::Result<(Unread, bool)> {
        let (settings, topic, reader) = (self.settings.clone(), topic.to_owned(), self.reader.map(str::to_owned));
        let looked = move || {
            let readers = readers::of(&settings, &topic)?;
            if !readers.is_empty() {
                return Ok((guard::by_any(&settings, &topic, &readers)?, true));
            }
            Ok((guard::count(&settings, &topic, reader.as_deref())?, false))
        };
        tokio::task::spawn_blocking(looked).await?
    }
}
