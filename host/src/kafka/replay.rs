//! Brings dead letters back: the event to its source topic and a note of it to the dead-letter topic, both or neither.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;

use super::embedded::is_embedded;
use super::send::{self, send};
use super::settings::Settings;
use super::transaction::{Failure, Transactional};
use crate::ports::Record;

/// How many dead letters go into one transaction, and how many bytes; one more letter may exceed them.
const CHUNK: usize = 100;
const CHUNK_BYTES: usize = 8 << 20;
/// How long one transaction may take with all that is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transaction that was aborted is tried.
const TRIES: u32 = 3;

/// One dead letter that is brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The event, for its source topic.
    pub record: Record,
    /// The note that it was brought back, for the dead-letter topic.
    pub marker: Record,
}

/// Why not everything was brought back.
#[derive(Debug, thiserror::Error)]
#[error("{replayed} dead letters were brought back, then it stopped")]
pub struct ReplayError {
    /// How many of them, from the first. Those after them were not, unless the reason says that it is not known.
    pub replayed: u64,
    /// What happened.
    #[source]
    pub reason: anyhow::Error,
}

/// Brings dead letters back in order, and returns their number. Up to a hundred go into one transaction, so that no
/// event is back without its note; `progress` is called with the number so far after each. On an embedded broker, which
/// has no transactions, each event and then its note are sent, and `reader` is whose reading makes room there, see
/// [`send`](fn@super::send).
pub async fn replay(
    settings: &Settings,
    reader: Option<&str>,
    letters: Vec<Replay>,
    mut progress: impl FnMut(u64),
) -> Result<u64, ReplayError> {
    let stopped = |reason| ReplayError { replayed: 0, reason };
    let asked = settings.clone();
    let embedded = tokio::task::spawn_blocking(move || is_embedded(&asked)).await;
    if embedded.map_err(anyhow::Error::from).flatten().map_err(stopped)? {
        let records = letters.into_iter().flat_map(|letter| [letter.record, letter.marker]);
        let sent = send(settings, reader, records, |sent| progress(sent / 2)).await;
        return sent
            .map(|sent| sent / 2)
            .map_err(|error| ReplayError { replayed: error.acknowledged / 2, reason: error.reason.into() });
    }
    let id = format!("gristmill-replay-{:016x}", fastrand::u64(..));
    let config = settings.transactional(&id, Duration::ZERO).map_err(|error| stopped(error.into()))?;
    let mut producer = None;
    let mut replayed = 0;
    for chunk in chunks(letters) {
        let (count, config) = (chunk.len() as u64 / 2, config.clone());
        let written = tokio::task::spawn_blocking(move || {
            let result = write(&config, &mut producer, &chunk);
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

/// The records of each transaction.
fn chunks(letters: Vec<Replay>) -> Vec<Vec<Record>> {
    let mut chunks: Vec<Vec<Record>> = Vec::new();
    let mut bytes = 0;
    for Replay { record, marker } in letters {
        let full = chunks.last().is_none_or(|chunk| chunk.len() >= 2 * CHUNK || bytes >= CHUNK_BYTES);
        if full {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += send::size(&record) + send::size(&marker);
        if let Some(chunk) = chunks.last_mut() {
            chunk.extend([record, marker]);
        }
    }
    chunks
}

/// Writes one transaction. `producer` is the one to go on with, made when there is none.
fn write(config: &ClientConfig, producer: &mut Option<Transactional>, records: &[Record]) -> anyhow::Result<()> {
    let mut tried = 0;
    loop {
        let deadline = Instant::now() + PATIENCE;
        let mut current = match producer.take() {
            Some(current) => current,
            None => Transactional::open(config, deadline).context("the brokers began no transactions")?,
        };
        let written = current.write(records, || Ok(None), deadline);
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
                let letters = records.len() / 2;
                let reason = format!("it is not known whether the next {letters} were; look whether they are marked");
                return Err(anyhow!(error).context(reason));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::Timestamp;

    fn letter(bytes: usize) -> Replay {
        let payload = Some(Bytes::from(vec![b'x'; bytes]));
        let record = Record { topic: "in".into(), key: None, payload, headers: Vec::new(), timestamp: Timestamp(1) };
        Replay { marker: Record { topic: "dead".into(), payload: None, ..record.clone() }, record }
    }

    fn sizes(letters: Vec<Replay>) -> Vec<usize> {
        chunks(letters).iter().map(|chunk| chunk.len() / 2).collect()
    }

    #[test]
    fn a_letter_and_its_note_are_never_in_two_transactions() {
        assert_eq!(sizes(vec![letter(1); 250]), [100, 100, 50]);
        assert_eq!(sizes(vec![letter(5 << 20); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![letter(16 << 20); 2]), [1, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }
}
