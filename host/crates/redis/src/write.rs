//! Writes from outside a pipeline: groups of records, each whole or not at all where they are on one server.

use anyhow::{Context as _, anyhow};
use gristmill_core::ports::{Group, Record, WriteError};
use redis::{Pipeline, Value};

use super::append::{Limits, Manner};
use super::client::{Client, Link};
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
    let mut written = 0;
    let stopped = |written, reason: anyhow::Error| WriteError { written, reason };
    let mut link = client.connect(std::time::Duration::ZERO).map_err(|error| stopped(0, error.into()))?;
    let limits = Limits::of(&mut link).await.context("Redis does not answer").map_err(|error| stopped(0, error))?;
    for record in groups.iter().flatten() {
        if let Some(reason) = limits.refusal(record) {
            return Err(stopped(0, anyhow!("the stream {} rejects a record: {reason}", record.topic)));
        }
    }
    let manner = Manner { max_len: None, creation: settings.creation };
    for chunk in groups.chunks(CHUNK) {
        let records: Vec<&Record> = chunk.iter().flatten().collect();
        let sent = match settings.addresses.are_cluster() {
            true => one_by_one(&mut link, manner, &records).await,
            false => together(&mut link, manner, &records).await,
        };
        sent.map_err(|reason| stopped(written, reason))?;
        written += chunk.len() as u64;
        progress(written);
    }
    Ok(written)
}

async fn together(link: &mut Link, manner: Manner, records: &[&Record]) -> anyhow::Result<()> {
    if manner.creation == Creation::Never {
        for record in records {
            exists(link, &record.topic).await?;
        }
    }
    let mut pipeline = Pipeline::with_capacity(records.len());
    pipeline.atomic();
    for record in records {
        pipeline.add_command(manner.command(record));
    }
    let answers: Vec<Value> = pipeline.query_async(link).await.with_context(doubt)?;
    answers.iter().try_for_each(is_written)
}

async fn one_by_one(link: &mut Link, manner: Manner, records: &[&Record]) -> anyhow::Result<()> {
    for record in records {
        let answer = manner.command(record).query_async(link).await.with_context(doubt)?;
        is_written(&answer)?;
    }
    Ok(())
}

/// A step cannot be taken back once a part of it was done, so it is looked first.
async fn exists(link: &mut Link, stream: &str) -> anyhow::Result<()> {
    let found: bool = redis::cmd("EXISTS").arg(stream).query_async(link).await.context("Redis does not answer")?;
    if found { Ok(()) } else { Err(missing().context(format!("the stream {stream} cannot be written"))) }
}

fn is_written(answer: &Value) -> anyhow::Result<()> {
    if *answer == Value::Nil { Err(missing()) } else { Ok(()) }
}

fn missing() -> anyhow::Error {
    anyhow!("it does not exist: create it, or take create_streams = false out of [redis]")
}

fn doubt() -> &'static str {
    "Redis did not confirm what was written last; look at the stream before repeating it"
}
