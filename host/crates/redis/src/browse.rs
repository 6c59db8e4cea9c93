//! Reads a stream without a group: nothing is settled, and no consumer is affected.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use async_trait::async_trait;
use gristmill_core::model::{Event, Generation, Position};
use gristmill_core::ports::{Browse, From, Records, Until};
use redis::{RedisError, RedisResult, Value};

use super::access::AccessError;
use super::address::Addresses;
use super::client::{Client, Link};
use super::entry::{Entry, entries, id, of_stream};
use super::fault::{Meaning, meaning, said};
use super::fields::{Origin, event};
use super::outage::Outage;

/// How many entries are read at a time.
const PAGE: usize = 32;
/// How long Redis waits for the next entry before it answers that there is none.
const WAIT: Duration = Duration::from_secs(5);

/// The entries of a stream as they arrive.
pub(super) struct Browser {
    link: Link,
    stream: Arc<str>,
    /// The last one that was read.
    after: Position,
    /// Nothing after this is read.
    end: Option<Position>,
    read: VecDeque<Entry>,
    outage: Outage,
}

impl Browser {
    /// Looks up where to begin and where to end. Fails if the stream does not exist.
    pub(super) async fn open(client: &Client, address: &Addresses, what: Browse) -> anyhow::Result<Self> {
        let Browse { topic: stream, from, until } = what;
        let mut link = client.connect(WAIT)?;
        let kind: String = match redis::cmd("TYPE").arg(&*stream).query_async(&mut link).await {
            Ok(kind) => kind,
            Err(error) => {
                let error = AccessError::of(address, &client.reason(error).await);
                return Err(anyhow!(error).context(format!("cannot read the stream {stream}")));
            }
        };
        match kind.as_str() {
            "stream" => {}
            "none" => bail!("the stream {stream} does not exist at {address}; check its name, and the address"),
            other => bail!("{stream} is no stream: it is a {other}"),
        }
        let end = last(&mut link, &stream, 1).await?;
        let end = end.first().map_or(Position(0), |entry| entry.position);
        let after = match from {
            From::Start => Position(0),
            From::End | From::Last(0) => end,
            From::Last(count) => {
                let found = last(&mut link, &stream, count).await?;
                found.last().map_or(end, |first| Position(first.position.0.saturating_sub(1)))
            }
        };
        let outage = Outage::of(format!("stream {stream}"));
        let end = (until == Until::End).then_some(end);
        Ok(Self { link, stream, after, end, read: VecDeque::new(), outage })
    }

    /// The next entries, or none if nothing came. Cancel-safe.
    async fn page(&mut self) -> RedisResult<Value> {
        match self.end {
            Some(end) => {
                let after = format!("({}", id(self.after));
                let mut range = redis::cmd("XRANGE");
                range.arg(&*self.stream).arg(after).arg(id(end)).arg("COUNT").arg(PAGE);
                range.query_async(&mut self.link).await
            }
            None => {
                let wait = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
                let mut read = redis::cmd("XREAD");
                read.arg("COUNT")
                    .arg(PAGE)
                    .arg("BLOCK")
                    .arg(wait)
                    .arg("STREAMS")
                    .arg(&*self.stream)
                    .arg(id(self.after));
                read.query_async(&mut self.link).await
            }
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        match self.page().await {
            Ok(page) => {
                self.outage.ended();
                let page = if self.end.is_some() { entries(page)? } else { of_stream(page)? };
                self.read.extend(page);
                Ok(())
            }
            Err(error) if meaning(&error) == Meaning::Later && self.end.is_none() => {
                tokio::time::sleep(self.outage.failed(&error)).await;
                Ok(())
            }
            Err(error) => Err(unreadable(&self.stream, &error)),
        }
    }
}

/// The last entries, the last one first.
async fn last(link: &mut Link, stream: &str, count: u32) -> anyhow::Result<Vec<Entry>> {
    let mut range = redis::cmd("XREVRANGE");
    range.arg(stream).arg("+").arg("-").arg("COUNT").arg(count);
    let found = range.query_async(link).await.map_err(|error| unreadable(stream, &error))?;
    Ok(entries(found)?)
}

fn unreadable(stream: &str, error: &RedisError) -> anyhow::Error {
    said(error).context(format!("cannot read the stream {stream}"))
}

#[async_trait]
impl Records for Browser {
    async fn next(&mut self) -> Option<anyhow::Result<Event>> {
        loop {
            while let Some(Entry { position, fields }) = self.read.pop_front() {
                self.after = position;
                if let Some(fields) = fields {
                    let (stream, generation) = (Arc::clone(&self.stream), Generation::default());
                    return Some(Ok(event(fields, Origin { stream, position, generation, deliveries: None })));
                }
            }
            if self.end.is_some_and(|end| self.after >= end) {
                return None;
            }
            if let Err(error) = self.fill().await {
                return Some(Err(error));
            }
            // What was there at the beginning has been deleted since.
            if self.end.is_some() && self.read.is_empty() {
                return None;
            }
        }
    }
}
