//! Writes to Redis: a batch in one journey, each request in one step on the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::{Cmd, Pipeline, Value};
use tokio::runtime::Runtime;

use super::link::Link;
use super::names::Names;
use super::records::{self, Records};
use super::scripts::{call, milliseconds};
use super::{deliveries, spending};
use crate::codec;
use crate::generation::{blob, encode, suffix};
use crate::health::Failure;
use crate::request::{self, Request, Row};
use crate::writer::{Backend, Written};
use gristmill_core::model::{DocumentId, RecordGeneration};
use gristmill_core::ports::{Kept, Placed};

/// The approximate size of an answer besides its value, in bytes.
const ANSWER_BYTES: usize = 256;

/// Time between two looks for records that are too old, unless they are kept for less.
const EVERY: Duration = Duration::from_secs(60);
/// Maximum records deleted in one step.
const STEP: usize = 200;

/// The server as its writer sees it, on the writer's own thread. It has a runtime of its own, so that what is queued is
/// written also when the host's ends.
pub(super) struct Session {
    pub(super) runtime: Runtime,
    /// When records were last looked at that may be too old.
    pub(super) begun: Option<Instant>,
    /// Whether some are left.
    pub(super) is_behind: bool,
    pub(super) writes: Writes,
}

pub(super) struct Writes {
    pub(super) link: Link,
    pub(super) names: Names,
    /// Unique among all hosts and runs.
    pub(super) host: Arc<str>,
    pub(super) records: Records,
    /// In milliseconds, as below.
    pub(super) keep_ended: u64,
    pub(super) keep_unfinished: u64,
    /// Maximum bytes of answers.
    pub(super) max_answers: u64,
}

impl Backend for Session {
    fn write(&mut self, batch: &[Request]) -> Result<Written, Failure> {
        if batch.is_empty() {
            return Ok(Written::default());
        }
        self.runtime.block_on(self.writes.write(batch))
    }

    /// Takes records from the lists whose time is over. Everything else that is too old goes by itself.
    fn tidy(&mut self) -> Result<(), Failure> {
        let every = Duration::from_millis(self.writes.keep_ended).min(EVERY);
        if !self.is_behind && self.begun.is_some_and(|begun| begun.elapsed() < every) {
            return Ok(());
        }
        self.begun = Some(Instant::now());
        self.is_behind = false;
        let Writes { link, names, .. } = &self.writes;
        let deleted: usize = self.runtime.block_on(link.ask(&records::forget(link, names, STEP)))?;
        self.is_behind = deleted >= STEP;
        Ok(())
    }

    fn is_behind(&self) -> bool {
        self.is_behind
    }
}

impl Writes {
    async fn write(&self, batch: &[Request]) -> Result<Written, Failure> {
        let earlier = self.keep(batch).await?;
        let changes: Vec<_> = request::changes(batch).collect();
        let changed = match changes.is_empty() {
            true => Vec::new(),
            false => self.records.change(&self.link, &self.names, &changes).await?,
        };
        let mut delivered = Vec::new();
        for change in request::deliveries(batch) {
            delivered.push(deliveries::change(&self.link, &self.names, change).await?);
        }
        Ok(Written { earlier, changed, delivered, ..Written::default() })
    }

    async fn keep(&self, batch: &[Request]) -> Result<Vec<Option<Kept>>, Failure> {
        let mut commands = redis::pipe();
        // First: a kept answer is always a counted one.
        let spent = spending::add(&self.link.scripts().spend, &self.names, &self.host, batch);
        let before = usize::from(spent.is_some());
        if let Some(spend) = spent {
            commands.add_command(spend);
        }
        for request in batch {
            if let Request::Keep { rows, .. } = request {
                for row in rows {
                    commands.add_command(self.keep_row(row));
                }
            } else if let Some(command) = self.command(request) {
                commands.add_command(command);
            }
        }
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.link.ask_all(&mut commands).await?;
        let mut answers = answers.into_iter().skip(before);
        let (mut earlier, mut again) = (Vec::new(), redis::pipe());
        for request in batch {
            let rows = match request {
                Request::Keep { rows, .. } => rows,
                // Without a command of its own.
                Request::Spent { .. }
                | Request::State { .. }
                | Request::Change { .. }
                | Request::Note { .. }
                | Request::Deliver { .. } => {
                    continue;
                }
                _ => {
                    answers.next();
                    continue;
                }
            };
            for Row { job, key, value } in rows {
                let Some(Value::BulkString(old)) = answers.next() else {
                    earlier.push(None);
                    continue;
                };
                let kept = codec::decode(Bytes::from(old.clone()));
                if kept.is_none() {
                    let mut replace = call(&self.link.scripts().replace, &[&self.names.job(job)]);
                    replace.arg(&key.0).arg(value).arg(old);
                    again.add_command(replace);
                }
                earlier.push(kept);
            }
        }
        self.replace(&mut again).await?;
        Ok(earlier)
    }

    /// Replaces what this version cannot read.
    async fn replace(&self, commands: &mut Pipeline) -> Result<(), Failure> {
        if commands.is_empty() {
            return Ok(());
        }
        let answers = self.link.ask_all(commands).await?;
        match answers.iter().all(|answer| *answer == Value::Int(1)) {
            true => Ok(()),
            false => Err(Failure::Transient("another host replaced the same value".to_owned())),
        }
    }

    fn keep_row(&self, Row { job, key, value }: &Row) -> Cmd {
        let mut keep = call(&self.link.scripts().keep, &[&self.names.job(job)]);
        keep.arg(&key.0).arg(value).arg(self.keep_unfinished);
        keep
    }

    /// The command of a request that has exactly one.
    fn command(&self, request: &Request) -> Option<Cmd> {
        let scripts = self.link.scripts();
        Some(match request {
            Request::Answer { key, value, keep, .. } => {
                let [times, sizes, sum] = self.names.of_answers();
                let mut answer = call(&scripts.answer, &[&times, &sizes, &sum]);
                answer.arg(self.names.answers()).arg(&key.0).arg(value).arg(milliseconds(*keep));
                answer.arg(value.len().saturating_add(ANSWER_BYTES)).arg(self.max_answers);
                answer
            }
            Request::Ended { job, .. } => {
                let mut expire = redis::cmd("PEXPIRE");
                expire.arg(self.names.job(job)).arg(self.keep_ended);
                expire
            }
            Request::Intend { document, begun, items, .. } => self.intend(document, begun, items),
            Request::Finish { document, last } => {
                let mut finish = call(&scripts.finish, &[&self.names.document(document)]);
                finish.arg(encode(last)).arg(self.keep_unfinished);
                finish
            }
            Request::Keep { .. }
            | Request::Spent { .. }
            | Request::State { .. }
            | Request::Change { .. }
            | Request::Note { .. }
            | Request::Deliver { .. } => {
                return None;
            }
        })
    }

    fn intend(&self, document: &DocumentId, begun: &RecordGeneration, items: &[Placed]) -> Cmd {
        let mut intend = call(&self.link.scripts().intend, &[&self.names.document(document)]);
        intend.arg(encode(begun)).arg(self.keep_unfinished).arg(&blob(begun.generation));
        for Placed { topic, item } in items {
            intend.arg(field(topic, suffix(document, item)));
        }
        intend
    }
}

/// Of an item in the hash of its document. Topics have no such character, and the other fields of the hash do not have it.
fn field(topic: &str, item: &str) -> String {
    format!("{topic}\0{item}")
}
