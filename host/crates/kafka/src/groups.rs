//! Writes groups of records from outside a pipeline, each group whole or not at all where the broker has transactions:
//! an event that is replayed, say, and the marks in the dead-letter topic that say so.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;

use super::embedded::is_embedded;
use super::log::LogOnly;
use super::send::send;
use super::settings::{Settings, client_error};
use super::transaction::{Failure, Transactional};
use super::{offsets, stats};
use gristmill_core::model::Size;
use gristmill_core::ports::{Group, Record, WriteError};

/// How many groups go into one transaction, and how many bytes; one more group may exceed them.
const CHUNK: usize = 100;
const CHUNK_BYTES: usize = 8 << 20;
/// How long one transaction may take, retries included.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transaction that was aborted is tried.
const TRIES: u32 = 3;

/// Writes groups in order and returns their number when all are confirmed. Where every group is a single record they
/// are sent as such. Otherwise up to a hundred groups go into one transaction, and `progress` is called after each. An
/// embedded broker has no transactions: there the records of a group are sent one after the other, and `reader` is the
/// group whose reading makes room, see [`send`].
pub(super) async fn write(
    settings: &Settings,
    reader: Option<&str>,
    mut groups: Vec<Group>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, WriteError> {
    if groups.is_empty() {
        return Ok(0);
    }
    let stopped = |reason| WriteError { written: 0, reason };
    if groups.iter().flatten().any(|record| record.partition.is_some()) {
        let settings = settings.clone();
        let place = move || place(&settings, &mut groups).map(|()| groups);
        groups = tokio::task::spawn_blocking(place).await.map_err(anyhow::Error::from).flatten().map_err(stopped)?;
    }
    if groups.iter().any(|group| group.len() != 1) {
        let asked = settings.clone();
        let embedded = tokio::task::spawn_blocking(move || is_embedded(&asked)).await;
        if !embedded.map_err(anyhow::Error::from).flatten().map_err(stopped)? {
            return transact(settings, groups, progress).await;
        }
    }
    let ends = ends(&groups);
    let whole = |sent: u64| ends.partition_point(|end| *end <= sent) as u64;
    let sent = send(settings, reader, groups.into_iter().flatten(), |sent| progress(whole(sent))).await;
    sent.map(whole).map_err(|error| WriteError { written: whole(error.acknowledged), reason: error.reason.into() })
}

/// Leaves to their keys what is meant for partitions that a topic no longer has.
fn place(settings: &Settings, groups: &mut [Group]) -> anyhow::Result<()> {
    let consumer: BaseConsumer<LogOnly> = settings.reader()?.create_with_context(LogOnly).map_err(client_error)?;
    let mut topics: HashMap<Arc<str>, Vec<i32>> = HashMap::new();
    for record in groups.iter_mut().flatten() {
        let Some(partition) = record.partition else { continue };
        let partitions = match topics.entry(Arc::clone(&record.topic)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(stats::partitions(&consumer, &record.topic)?),
        };
        record.partition =
            Some(partition).filter(|partition| partitions.iter().any(|one| offsets::index(*one) == *partition));
    }
    Ok(())
}

async fn transact(
    settings: &Settings,
    groups: Vec<Group>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, WriteError> {
    let id = format!("gristmill-write-{:016x}", fastrand::u64(..));
    let config = settings.transactional(&id, Duration::ZERO);
    let config = config.map_err(|error| WriteError { written: 0, reason: error.into() })?;
    let mut producer = None;
    let mut written = 0;
    for chunk in chunks(groups) {
        let (count, config) = (chunk.len() as u64, config.clone());
        let task = tokio::task::spawn_blocking(move || {
            let result = write_chunk(&config, &mut producer, chunk);
            (result, producer)
        });
        let (result, kept) = match task.await {
            Ok(ended) => ended,
            Err(panicked) => return Err(WriteError { written, reason: panicked.into() }),
        };
        producer = kept;
        result.map_err(|reason| WriteError { written, reason })?;
        written += count;
        progress(written);
    }
    Ok(written)
}

/// How many records there are up to the end of each group.
fn ends(groups: &[Group]) -> Vec<u64> {
    let records = groups.iter().map(|group| group.len() as u64);
    records
        .scan(0, |end, records| {
            *end += records;
            Some(*end)
        })
        .collect()
}

/// What goes into each transaction.
fn chunks(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut chunks: Vec<Vec<Group>> = Vec::new();
    let mut bytes = 0;
    for group in groups {
        let full = chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK || bytes >= CHUNK_BYTES);
        if full {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += group.size();
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(group);
        }
    }
    chunks
}

/// Writes one transaction. `producer` is the one to reuse; it is created when there is none.
fn write_chunk(config: &ClientConfig, producer: &mut Option<Transactional>, groups: Vec<Group>) -> anyhow::Result<()> {
    let count = groups.len();
    let records: Vec<Record> = groups.into_iter().flatten().collect();
    let mut tried = 0;
    loop {
        let deadline = Instant::now() + PATIENCE;
        let mut current = match producer.take() {
            Some(current) => current,
            None => Transactional::open(config, deadline).context("the brokers opened no transaction")?,
        };
        let written = current.write(&records, || Ok(None), deadline);
        *producer = Some(current).filter(|current| !current.is_spent());
        tried += 1;
        match written {
            Ok(()) => return Ok(()),
            Err(Failure::Aborted(reason)) if tried < TRIES => {
                tracing::warn!(reason, "a transaction was aborted, retrying");
            }
            Err(Failure::Aborted(reason)) => return Err(anyhow!(reason).context("a transaction was aborted")),
            Err(Failure::Hopeless(error)) => return Err(error),
            Err(Failure::Refused { record, reason }) => {
                let topic = records.get(record).map_or("", |record| &*record.topic);
                return Err(anyhow!("topic {topic} rejects a record: {reason}"));
            }
            Err(Failure::Doubt(error)) => {
                let reason = format!(
                    "it is unknown whether the next {count} were written; check the topic before repeating them"
                );
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

    fn replayed(bytes: usize) -> Group {
        let payload = Some(Bytes::from(vec![b'x'; bytes]));
        let event = Record {
            topic: "in".into(),
            partition: None,
            key: None,
            payload,
            headers: Vec::new(),
            timestamp: Timestamp(1),
        };
        let mark = Record { topic: "dead".into(), payload: None, ..event.clone() };
        vec![event, mark.clone(), mark]
    }

    fn sizes(groups: Vec<Group>) -> Vec<usize> {
        chunks(groups).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_group_is_never_split_over_two_transactions() {
        assert_eq!(sizes(vec![replayed(1); 250]), [100, 100, 50]);
        assert_eq!(sizes(vec![replayed(5 << 20); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![replayed(16 << 20); 2]), [1, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }

    #[test]
    fn a_group_counts_once_its_last_record_is_there() {
        let (one, mut two) = (replayed(1), replayed(1));
        two.pop();
        assert_eq!(ends(&[one, two]), [3, 5]);
    }
}
