//! A store on a Redis server, which hosts share.

mod book;
mod counters;
mod deliveries;
mod documents;
mod failure;
mod link;
mod lists;
mod names;
mod records;
mod scripts;
mod server;
mod spending;
mod state;
mod status;
mod step;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, FromRedisValue};
use tokio::runtime;

use self::link::Link;
use self::names::Names;
use self::records::Records;
use self::scripts::milliseconds;
use self::writer::{Session, Writes};
use crate::codec::{self, KeptReader};
use crate::health::{Failure, Health};
use crate::queue::Queue;
use crate::settings::ServerSettings;
use crate::url::RedisUrl;
use gristmill_core::model::{ChatResponse, DocumentId, JobId, RecordGeneration, Spent, SpentOn};
use gristmill_core::ports::{
    Answers, Documents, JobState, Keep, Kept, Key, Placed, Remembered, Spending, Store, StoreError,
};

/// The version of what is written. A newer one is refused, so that no older host runs jobs without their records. 2: records
/// of jobs.
const VERSION: u32 = 2;
/// How long to wait before a server that does not answer yet is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// A store of one pipeline on a Redis server, which hosts share and other pipelines, too.
///
/// What is acknowledged is as safe as the server makes it: with `appendfsync always` it survives a crash; with `everysec`
/// a crash may take the last second, and a failover what the replica did not have yet. What is lost is paid for again. A
/// server that does not answer, restarts or is full is a transient failure; one that does not let us in, or evicts keys,
/// breaks the store for good. Dropping the store writes what is still queued, which takes a journey to the server, 10 s at
/// most.
pub struct Redis {
    health: Arc<Health>,
    names: Names,
    link: Link,
    kept: KeptReader,
    queue: Queue,
}

impl Redis {
    /// Opens the store. Waits for a server that does not answer yet as long as the settings say.
    ///
    /// # Errors
    /// The server does not answer, or does not let us in; it evicts keys, or is a cluster; a newer version wrote to it.
    pub async fn open(url: &RedisUrl, settings: ServerSettings) -> Result<Self, StoreError> {
        let health = Arc::new(Health::new(url.to_string()));
        let broken = |reason: String| health.refused(Failure::Broken(reason));
        let client = link::client(url, &settings).map_err(broken)?;
        let (link, names) = (Link::new(client.clone()), Names::of(&settings.pipeline));
        let (begun, mut waits) = (Instant::now(), false);
        let warnings = loop {
            match prepare(&link, &names).await {
                Ok(warnings) => break warnings,
                Err(Failure::Transient(reason)) if begun.elapsed() < settings.patience => {
                    if !waits {
                        tracing::warn!(store = %url, reason, "waiting for the state store");
                    }
                    waits = true;
                    tokio::time::sleep(AGAIN).await;
                }
                Err(failure) => return Err(health.refused(failure)),
            }
        };
        for warning in warnings {
            tracing::warn!(store = %url, "{warning}");
        }
        let no_thread = |error: std::io::Error| broken(format!("its thread cannot be started ({error})"));
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).thread_name("store-io").enable_all().build();
        let session = Session {
            runtime: runtime.map_err(no_thread)?,
            begun: None,
            is_behind: false,
            writes: Writes {
                link: Link::new(client),
                names: names.clone(),
                host: format!("{:032x}", fastrand::u128(..)).into(),
                records: Records {
                    pipeline: Arc::clone(&settings.pipeline),
                    keep_ended: milliseconds(settings.keep_ended),
                    keep_unfinished: milliseconds(settings.keep_unfinished),
                },
                keep_ended: milliseconds(settings.keep_ended),
                keep_unfinished: milliseconds(settings.keep_unfinished),
                max_answers: settings.max_answers,
            },
        };
        let queue = Queue::start(session, Arc::clone(&health)).map_err(no_thread)?;
        Ok(Self { health, names, link, kept: KeptReader::default(), queue })
    }

    /// What a command returns.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.health.check()?;
        self.link.ask(command).await.map_err(|failure| self.health.failed(failure))
    }
}

/// Opens the connection and looks what it leads to.
async fn prepare(link: &Link, names: &Names) -> Result<Vec<&'static str>, Failure> {
    let warnings = link.open().await?;
    let version = names.version();
    link.ask::<redis::Value>(redis::cmd("SET").arg(&version).arg(VERSION).arg("NX")).await?;
    let found: u32 = link.ask(redis::cmd("GET").arg(&version)).await?;
    if found > VERSION {
        return Err(Failure::Broken(format!(
            "a newer Gristmill wrote it (version {found}, this one knows {VERSION}); use that version again, or another \
             database: unfinished jobs then pay again for what they had paid for"
        )));
    }
    if found < VERSION {
        link.ask::<redis::Value>(redis::cmd("SET").arg(&version).arg(VERSION)).await?;
    }
    Ok(warnings)
}

#[async_trait]
impl Store for Redis {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        let value: Option<Vec<u8>> = self.ask(redis::cmd("HGET").arg(self.names.job(job)).arg(&key.0)).await?;
        Ok(value.and_then(|value| self.kept.read(job, value)))
    }

    async fn keys(&self, jobs: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        self.health.check()?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = redis::pipe();
        for job in jobs {
            commands.cmd("HKEYS").arg(self.names.job(job));
        }
        let answers = self.link.ask_all(&mut commands).await.map_err(|failure| self.health.failed(failure))?;
        let keys = |answer| {
            let keys: Vec<Vec<u8>> = redis::from_redis_value(answer).unwrap_or_default();
            keys.into_iter().filter_map(|key| key.try_into().ok().map(Key)).collect()
        };
        Ok(answers.into_iter().map(keys).collect())
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.queue.keep(new).await
    }

    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.queue.ended(job, state)
    }
}

#[async_trait]
impl Answers for Redis {
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError> {
        let value: Option<Vec<u8>> = self.ask(redis::cmd("GET").arg(self.names.answer(key))).await?;
        Ok(value.and_then(|value| codec::decode_answer(Bytes::from(value))))
    }

    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        self.queue.keep_answer(key, answer, keep).await
    }
}

#[async_trait]
impl Documents for Redis {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let fields: HashMap<String, Vec<u8>> =
            self.ask(redis::cmd("HGETALL").arg(self.names.document(document))).await?;
        Ok(documents::found(document, &fields))
    }

    async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        self.queue.intend(document, begun, items).await
    }

    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        self.queue.finish(document, last)
    }
}

#[async_trait]
impl Spending for Redis {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        let fields: HashMap<String, u64> = self.ask(redis::cmd("HGETALL").arg(self.names.spent())).await?;
        Ok(spending::all(&fields))
    }

    async fn of_job(&self, job: &JobId) -> Result<Spent, StoreError> {
        let values: Vec<Vec<u8>> = self.ask(redis::cmd("HVALS").arg(self.names.job(job))).await?;
        Ok(codec::spent_on(values.into_iter().map(Bytes::from)))
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.queue.note(on, spent)
    }
}
