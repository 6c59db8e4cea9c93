//! Brings dead letters back: the event to its source topic and notes of it to the dead-letter topic, all or nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;

use super::embedded::is_embedded;
use super::send::send;
use super::settings::Settings;
use super::transaction::{Failure, Transactional};
use gristmill_core::model::Size;
use gristmill_core::ports::Record;

/// How many dead letters go into one transaction, and how many bytes; one more letter may exceed them.
const CHUNK: usize = 100;
const CHUNK_BYTES: usize = 8 << 20;
/// How long one transaction may take with all that is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transaction that was aborted is tried.
const TRIES: u32 = 3;

/// One event that is brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The event, for its source topic.
    pub record: Record,
    /// The notes that it was brought back, for the dead-letter topic: one for each letter of its job.
    pub markers: Vec<Record>,
}

/// Why not everything was brought back.
#[derive(Debug, thiserror::Error)]
#[error("{replayed} events were brought back, then it stopped")]
pub struct ReplayError {
    /// How many of them, from the first. Those after them were not, unless the reason says that it is not known.
    pub replayed: u64,
    /// What happened.
    #[source]
    pub reason: anyhow::Error,
}

/// Brings events back in order, and returns their number. Up to a hundred go into one transaction, so that no event is
/// back without its notes; `progress` is called with the number so far after each. On an embedded broker, which has no
/// transactions, each event and then its notes are sent, and `reader` is whose reading makes room there, see
/// [`send`](fn@super::send).
pub async fn replay(
    settings: &Settings,
    reader: Option<&str>,
    events: Vec<Replay>,
    mut progress: impl FnMut(u64),
) -> Result<u64, ReplayError> {
    let stopped = |reason| ReplayError { replayed: 0, reason };
    let asked = settings.clone();
    let embedded = tokio::task::spawn_blocking(move || is_embedded(&asked)).await;
    if embedded.map_err(anyhow::Error::from).flatten().map_err(stopped)? {
        let ends = ends(&events);
        let whole = |sent: u64| ends.partition_point(|end| *end <= sent) as u64;
        let records = events.into_iter().flat_map(Replay::records);
        let sent = send(settings, reader, records, |sent| progress(whole(sent))).await;
        return sent
            .map(whole)
            .map_err(|error| ReplayError { replayed: whole(error.acknowledged), reason: error.reason.into() });
    }
    let id = format!("gristmill-replay-{:016x}", fastrand::u64(..));
    let config = settings.transactional(&id, Duration::ZERO).map_err(|error| stopped(error.into()))?;
    let mut producer = None;
    let mut replayed = 0;
    for chunk in chunks(events) {
        let (count, config) = (chunk.len() as u64, config.clone());
        let written = tokio::task::spawn_blocking(move || {
            let result = write(&config, &mut producer, chunk);
            (result, producer)
        });
        let (result, kept) = match written.await {
            Ok(written) => written,
            Err(panicked) => return Err(ReplayError { replayed, reason: panicked.into() }),
        };
        producer = kept;
        result.map_err(|reason| ReplayError { replayed, reason })?;
        replayed += count;
        progress(replayed);
    }
    Ok(replayed)
}

impl Replay {
    fn records(self) -> impl Iterator<Item = Record> {
        [self.record].into_iter().chain(self.markers)
    }

    fn size(&self) -> usize {
        self.record.size() + self.markers.size()
    }
}

/// How many records there are up to the end of each event.
fn ends(events: &[Replay]) -> Vec<u64> {
    let records = events.iter().map(|event| 1 + event.markers.len() as u64);
    records
        .scan(0, |end, records| {
            *end += records;
            Some(*end)
        })
        .collect()
}

/// What goes into each transaction.
fn chunks(events: Vec<Replay>) -> Vec<Vec<Replay>> {
    let mut chunks: Vec<Vec<Replay>> = Vec::new();
    let mut bytes = 0;
    for event in events {
        let full = chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK || bytes >= CHUNK_BYTES);
        if full {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += event.size();
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(event);
        }
    }
    chunks
}

/// Writes one transaction. `producer` is the one to go on with, made when there is none.
fn write(config: &ClientConfig, producer: &mut Option<Transactional>, events: Vec<Replay>) -> anyhow::Result<()> {
    let count = events.len();
    let records: Vec<Record> = events.into_iter().flat_map(Replay::records).collect();
    let mut tried = 0;
    loop {
        let deadline = Instant::now() + PATIENCE;
        let mut current = match producer.take() {
            Some(current) => current,
            None => Transactional::open(config, deadline).context("the brokers began no transactions")?,
        };
        let written = current.write(&records, || Ok(None), deadline);
        *producer = Some(current).filter(|current| !current.is_spent());
        tried += 1;
        match written {
            Ok(()) => return Ok(()),
            Err(Failure::Aborted(reason)) if tried < TRIES => tracing::warn!(reason, "a replay was aborted, again"),
            Err(Failure::Aborted(reason)) => return Err(anyhow!(reason).context("a transaction was aborted")),
            Err(Failure::Hopeless(error)) => return Err(error),
            Err(Failure::Refused { record, reason }) => {
                let topic = records.get(record).map_or("", |record| &*record.topic);
                return Err(anyhow!("the topic {topic} refuses a record: {reason}"));
            }
            Err(Failure::Doubt(error)) => {
                let reason = format!("it is not known whether the next {count} were; look whether they are marked");
                return Err(anyhow!(error).context(reason));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use gristmill_core::model::Timestamp;

    fn letter(bytes: usize) -> Replay {
        let payload = Some(Bytes::from(vec![b'x'; bytes]));
        let record = Record { topic: "in".into(), key: None, payload, headers: Vec::new(), timestamp: Timestamp(1) };
        let marker = Record { topic: "dead".into(), payload: None, ..record.clone() };
        Replay { markers: vec![marker; 2], record }
    }

    fn sizes(letters: Vec<Replay>) -> Vec<usize> {
        chunks(letters).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_letter_and_its_note_are_never_in_two_transactions() {
        assert_eq!(sizes(vec![letter(1); 250]), [100, 100, 50]);
        assert_eq!(sizes(vec![letter(5 << 20); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![letter(16 << 20); 2]), [1, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }

    #[test]
    fn an_event_counts_once_its_notes_are_there() {
        let (one, mut two) = (letter(1), letter(1));
        two.markers.pop();
        assert_eq!(ends(&[one, two]), [3, 5]);
    }
}
