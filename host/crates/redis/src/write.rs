//! Writes from outside a pipeline: groups of records, each whole or not at all where they are on one server.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{anyhow, bail};
use gristmill_core::ports::{Group, Record, WriteError};
use redis::{Pipeline, RedisError, Value};

use super::access::AccessError;
use super::append::{Limits, Manner};
use super::client::{Client, Link};
use super::fault::{is_forbidden, is_unreachable};
use super::settings::{Creation, Settings};

/// How many groups are sent at a time.
const CHUNK: usize = 100;

/// Writes groups in order and returns their number when Redis has answered for all. `progress` is called after up to a hundred
/// of them. On one server they are written in one step. In a cluster streams are on different servers: the records of a group
/// are written one after the other.
pub(super) async fn write(
    client: &Client,
    settings: &Settings,
    groups: Vec<Group>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, WriteError> {
    let stopped = |written, reason: anyhow::Error| WriteError { written, reason };
    let mut link = client.connect(Duration::ZERO).map_err(|error| stopped(0, error.into()))?;
    let mut writer = Writer { client, settings, link: &mut link };
    writer.check(&groups).await.map_err(|reason| stopped(0, reason))?;
    let mut written = 0;
    for chunk in groups.chunks(CHUNK) {
        let records: Vec<&Record> = chunk.iter().flatten().collect();
        let sent = match settings.addresses.are_cluster() {
            true => writer.one_by_one(&records).await,
            false => writer.together(&records).await,
        };
        sent.map_err(|reason| stopped(written, reason))?;
        written += chunk.len() as u64;
        progress(written);
    }
    Ok(written)
}

struct Writer<'a> {
    client: &'a Client,
    settings: &'a Settings,
    link: &'a mut Link,
}

impl Writer<'_> {
    /// Looks whether the streams take the records, before anything is written: a step cannot be taken back once a part of it
    /// was done.
    async fn check(&mut self, groups: &[Group]) -> anyhow::Result<()> {
        let limits = match Limits::of(self.link).await {
            Ok(limits) => limits,
            Err(error) => return Err(self.refusal(error).await),
        };
        let mut streams = BTreeSet::new();
        for record in groups.iter().flatten() {
            if let Some(reason) = limits.refusal(record) {
                bail!("the stream {} rejects a record: {reason}", record.topic);
            }
            streams.insert(&*record.topic);
        }
        for stream in streams {
            match redis::cmd("TYPE").arg(stream).query_async::<String>(self.link).await {
                Ok(kind) => match (kind.as_str(), self.settings.creation) {
                    ("stream", _) | ("none", Creation::Missing) => {}
                    ("none", Creation::Never) => {
                        return Err(missing().context(format!("the stream {stream} cannot be written")));
                    }
                    (other, _) => bail!("{stream} is no stream: it is a {other}"),
                },
                // Who may only write finds out by writing.
                Err(error) if is_forbidden(&error) => {}
                Err(error) => return Err(self.refusal(error).await),
            }
        }
        Ok(())
    }

    async fn together(&mut self, records: &[&Record]) -> anyhow::Result<()> {
        let mut pipeline = Pipeline::with_capacity(records.len());
        pipeline.atomic();
        for record in records {
            pipeline.add_command(self.manner().command(record));
        }
        match pipeline.query_async::<Vec<Value>>(self.link).await {
            Ok(answers) => answers.iter().try_for_each(is_written),
            Err(error) => Err(self.unwritten(error).await),
        }
    }

    async fn one_by_one(&mut self, records: &[&Record]) -> anyhow::Result<()> {
        for record in records {
            match self.manner().command(record).query_async(self.link).await {
                Ok(answer) => is_written(&answer)?,
                Err(error) => return Err(self.unwritten(error).await),
            }
        }
        Ok(())
    }

    fn manner(&self) -> Manner {
        Manner { max_len: None, creation: self.settings.creation }
    }

    /// Of an error that came in place of an answer to what was written.
    async fn unwritten(&self, error: RedisError) -> anyhow::Error {
        let is_in_doubt = is_unreachable(&error);
        let refusal = self.refusal(error).await;
        match is_in_doubt {
            true => {
                refusal.context("Redis did not confirm what was written last; look at the stream before repeating it")
            }
            false => refusal,
        }
    }

    async fn refusal(&self, error: RedisError) -> anyhow::Error {
        AccessError::of(&self.settings.addresses, &self.client.reason(error).await).into()
    }
}

fn is_written(answer: &Value) -> anyhow::Result<()> {
    if *answer == Value::Nil { Err(missing()) } else { Ok(()) }
}

fn missing() -> anyhow::Error {
    anyhow!("it does not exist: create it, or take create_streams = false out of [redis]")
}
