//! Appending records to streams: pipelined, in order, each with its answer.

use std::num::NonZeroU64;
use std::time::Duration;

use anyhow::anyhow;
use gristmill_core::model::Size;
use gristmill_core::ports::Record;
use redis::{Cmd, Pipeline, RedisResult, Value};

use super::client::Link;
use super::fault::{Meaning, meaning, meaning_of_answer, said};
use super::fields;
use super::outage::Outage;
use super::settings::Creation;

/// How many records go into one pipeline, and how many bytes; one more record may exceed them.
const CHUNK: usize = 500;
const CHUNK_BYTES: usize = 8 << 20;
/// Redis's default of `proto-max-bulk-len`: the longest field.
const LONGEST_FIELD: usize = 512 << 20;
/// What Redis takes for one entry in all.
const LARGEST_ENTRY: usize = 1 << 30;

/// How streams are appended to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// About how many entries they keep.
    pub(super) max_len: Option<NonZeroU64>,
    pub(super) creation: Creation,
}

impl Manner {
    /// The command that appends a record.
    pub(super) fn command(&self, record: &Record) -> Cmd {
        let mut command = redis::cmd("XADD");
        command.arg(&*record.topic);
        if self.creation == Creation::Never {
            command.arg("NOMKSTREAM");
        }
        if let Some(max_len) = self.max_len {
            command.arg("MAXLEN").arg("~").arg(max_len.get());
        }
        command.arg("*");
        fields::write(record, &mut command);
        command
    }
}

/// What Redis never takes, because of its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    longest_field: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { longest_field: LONGEST_FIELD }
    }
}

impl Limits {
    /// Those of the server, or Redis's defaults where they may not be asked.
    pub(super) async fn of(link: &mut Link) -> RedisResult<Self> {
        let answer = redis::cmd("CONFIG").arg("GET").arg("proto-max-bulk-len").query_async(link).await;
        let (_, longest): (String, String) = match answer {
            Ok(answer) => answer,
            Err(error) if meaning(&error) == Meaning::Later => return Err(error),
            Err(_) => return Ok(Self::default()),
        };
        Ok(Self { longest_field: longest.parse().unwrap_or(LONGEST_FIELD) })
    }

    /// Why a record is too large, if it is.
    pub(super) fn refusal(&self, record: &Record) -> Option<String> {
        let (largest, all) = (fields::largest(record), record.size());
        if largest > self.longest_field {
            let limit = self.longest_field;
            return Some(format!("a field of {largest} bytes is larger than its proto-max-bulk-len of {limit}"));
        }
        (all > LARGEST_ENTRY)
            .then(|| format!("an entry of {all} bytes is larger than the {LARGEST_ENTRY} that Redis takes"))
    }
}

/// Appends all records of one stream in order, and returns once Redis has answered for each. What is not answered for is sent
/// again for at most this long, from the first such record on: some may be written twice.
pub(super) async fn append(
    link: &mut Link,
    manner: Manner,
    records: &[Record],
    longest: Duration,
) -> anyhow::Result<()> {
    let mut rest = records;
    let mut outage = Outage::of(format!("stream {}", records.first().map_or("", |record| &*record.topic)));
    while !rest.is_empty() {
        let (chunk, _) = rest.split_at(chunk(rest));
        match send(link, manner, chunk).await {
            Sent { written, stopped: None } => rest = &rest[written..],
            Sent { written, stopped: Some(Stopped::Later(error)) } => {
                rest = &rest[written..];
                let wait = outage.failed(&error);
                if outage.lasted() + wait > longest {
                    return Err(said(&error).context(format!("not written within {longest:?}")));
                }
                tokio::time::sleep(wait).await;
                continue;
            }
            Sent { written: _, stopped: Some(Stopped::Never(error)) } => return Err(error),
        }
        outage.ended();
    }
    Ok(())
}

/// How many of the records go into the next pipeline; at least one.
fn chunk(records: &[Record]) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Record| {
        let before = bytes;
        bytes += record.size();
        before < CHUNK_BYTES
    };
    records.iter().take(CHUNK).take_while(fits).count()
}

/// How many were written, counted from the first, and why no more.
struct Sent {
    written: usize,
    stopped: Option<Stopped>,
}

enum Stopped {
    Later(redis::RedisError),
    Never(anyhow::Error),
}

async fn send(link: &mut Link, manner: Manner, records: &[Record]) -> Sent {
    let mut pipeline = Pipeline::with_capacity(records.len());
    for record in records {
        pipeline.add_command(manner.command(record));
    }
    let answers: Vec<Value> = match pipeline.ignore_errors().query_async(link).await {
        Ok(answers) => answers,
        Err(error) => {
            let stopped = match meaning(&error) {
                Meaning::Later => Stopped::Later(error),
                Meaning::Gone | Meaning::Never => Stopped::Never(said(&error)),
            };
            return Sent { written: 0, stopped: Some(stopped) };
        }
    };
    for (written, answer) in answers.into_iter().enumerate() {
        let stopped = match answer {
            Value::ServerError(error) => match meaning_of_answer(&error) {
                Meaning::Later => Stopped::Later(error.into()),
                Meaning::Gone | Meaning::Never => Stopped::Never(anyhow!("Redis refuses to write: {error}")),
            },
            Value::Nil => Stopped::Never(anyhow!(
                "the stream does not exist: create it, or take create_streams = false out of [redis]"
            )),
            _ => continue,
        };
        return Sent { written, stopped: Some(stopped) };
    }
    Sent { written: records.len(), stopped: None }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::Timestamp;

    use super::*;

    fn record(bytes: usize) -> Record {
        Record {
            topic: "s".into(),
            partition: None,
            key: None,
            payload: Some(Bytes::from(vec![b'x'; bytes])),
            headers: Vec::new(),
            timestamp: Timestamp(1),
        }
    }

    #[test]
    fn a_pipeline_is_bounded_and_never_empty() {
        assert_eq!(chunk(&vec![record(1); 501]), 500);
        assert_eq!(chunk(&vec![record(5 << 20); 5]), 2);
        assert_eq!(chunk(&vec![record(16 << 20); 2]), 1);
    }

    #[test]
    fn a_field_above_the_servers_limit_is_refused() {
        let limits = Limits { longest_field: 10 };
        assert_eq!(limits.refusal(&record(10)), None);
        assert!(limits.refusal(&record(11)).unwrap().contains("proto-max-bulk-len"));
    }

    #[test]
    fn a_stream_is_trimmed_and_created_only_as_configured() {
        let sent = |manner: Manner| String::from_utf8(manner.command(&record(1)).get_packed_command()).unwrap();
        let plain = sent(Manner { max_len: None, creation: Creation::Missing });
        assert!(!plain.contains("MAXLEN") && !plain.contains("NOMKSTREAM"), "{plain}");
        let bounded = sent(Manner { max_len: NonZeroU64::new(7), creation: Creation::Never });
        assert!(bounded.contains("NOMKSTREAM\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$1\r\n7\r\n$1\r\n*"), "{bounded}");
    }
}
