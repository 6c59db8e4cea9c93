//! A store in a database of PostgreSQL, which hosts share.

mod answers;
mod book;
mod connect;
mod counters;
mod deliveries;
mod documents;
mod failure;
mod kept;
mod lists;
mod records;
mod retention;
mod schema;
mod spending;
mod state;
mod statement;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::{Object, Pool};
use tokio::runtime;
use tokio_postgres::Row;

use self::connect::Database;
use self::failure::{failure, no_answer, pool_failure};
use self::retention::Sweep;
use self::spending::Adder;
use self::statement::{Parameters, query};
use self::writer::{Session, Tables};
use crate::codec::{self, KeptReader};
use crate::health::{Failure, Health};
use crate::queue::Queue;
use crate::settings::ServerSettings;
use crate::url::PostgresUrl;
use gristmill_core::model::{ChatResponse, DocumentId, JobId, RecordGeneration, Spent, SpentOn};
use gristmill_core::ports::{
    Answers, Documents, JobState, Keep, Kept, Key, Placed, Remembered, Spending, Store, StoreError,
};

/// Connections that read. One more writes.
const READERS: usize = 8;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// How long preparing the tables may take, other hosts that do it included.
const PREPARE: Duration = Duration::from_secs(60);
/// How long to wait before a server that does not answer yet is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// A store of one pipeline in a database, which hosts share and other pipelines, too.
///
/// Everything acknowledged is synced by the server. A server that does not answer, restarts, is full or only reads is a
/// transient failure; one that does not let us in or has other tables breaks the store for good. Dropping the store writes
/// what is still queued, which takes a journey to the server, 10 s at most.
pub struct Postgres {
    health: Arc<Health>,
    pipeline: Arc<str>,
    readers: Pool,
    kept: KeptReader,
    queue: Queue,
}

impl Postgres {
    /// Opens the store; creates missing tables in the schema `gristmill`, and migrates older ones. Waits for a server that
    /// does not answer yet as long as the settings say.
    ///
    /// # Errors
    /// The server does not answer, or does not let us in; its tables are of another application or a newer version.
    pub async fn open(url: &PostgresUrl, settings: ServerSettings) -> Result<Self, StoreError> {
        let health = Arc::new(Health::new(url.to_string()));
        let broken = |reason: String| health.refused(Failure::Broken(reason));
        let database = Database::new(url, &settings).map_err(broken)?;
        let readers = database.pool(READERS).map_err(broken)?;
        let (begun, mut waits) = (Instant::now(), false);
        loop {
            match prepare(&readers, url).await {
                Ok(()) => break,
                Err(Failure::Transient(reason)) if begun.elapsed() < settings.patience => {
                    if !waits {
                        tracing::warn!(store = %url, reason, "waiting for the state store");
                    }
                    waits = true;
                    tokio::time::sleep(AGAIN).await;
                }
                Err(failure) => return Err(health.refused(failure)),
            }
        }
        let no_thread = |error: std::io::Error| broken(format!("its thread cannot be started ({error})"));
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).thread_name("store-io").enable_all().build();
        let session = Session {
            runtime: runtime.map_err(no_thread)?,
            tables: Tables {
                pool: database.pool(1).map_err(broken)?,
                pipeline: Arc::clone(&settings.pipeline),
                adder: Adder { id: format!("{:032x}", fastrand::u128(..)), added: Some(0) },
                sweep: Sweep::new(&settings),
            },
        };
        let queue = Queue::start(session, Arc::clone(&health)).map_err(no_thread)?;
        Ok(Self { health, pipeline: settings.pipeline, readers, kept: KeptReader::default(), queue })
    }

    /// What a question returns.
    async fn read(&self, sql: &str, given: Parameters<'_>) -> Result<Vec<Row>, StoreError> {
        self.health.check()?;
        self.ask(sql, given).await.map_err(|failure| self.health.failed(failure))
    }

    async fn ask(&self, sql: &str, given: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        let client = self.readers.get().await.map_err(|error| pool_failure(&error))?;
        match tokio::time::timeout(ANSWER, query(&client, sql, given)).await {
            Ok(rows) => rows.map_err(|error| failure(&error)),
            Err(_) => {
                // Nobody knows what is under way on it.
                drop(Object::take(client));
                Err(no_answer(ANSWER))
            }
        }
    }
}

async fn prepare(pool: &Pool, url: &PostgresUrl) -> Result<(), Failure> {
    let mut client = pool.get().await.map_err(|error| pool_failure(&error))?;
    match tokio::time::timeout(PREPARE, schema::prepare(&mut client)).await {
        Ok(prepared) => prepared?,
        Err(_) => {
            drop(Object::take(client));
            return Err(no_answer(PREPARE));
        }
    }
    schema::warn_if_careless(&client, &url.to_string()).await;
    Ok(())
}

#[async_trait]
impl Store for Postgres {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        let rows = self.read(kept::RECALL, &[&self.pipeline.as_ref(), &job.as_str(), &key.0.as_slice()]).await?;
        Ok(rows.first().and_then(|row| self.kept.read(job, row.get(0))))
    }

    async fn keys(&self, jobs: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        let names: Vec<&str> = jobs.iter().map(JobId::as_str).collect();
        let rows = self.read(kept::KEYS, &[&self.pipeline.as_ref(), &names]).await?;
        Ok(kept::keys(jobs.len(), &rows))
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.queue.keep(new).await
    }

    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.queue.ended(job, state)
    }
}

#[async_trait]
impl Answers for Postgres {
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError> {
        let rows = self.read(answers::FIND, &[&self.pipeline.as_ref(), &key.0.as_slice()]).await?;
        let value = rows.first().map(|row| Bytes::from(row.get::<_, Vec<u8>>(0)));
        Ok(value.and_then(codec::decode_answer))
    }

    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        self.queue.keep_answer(key, answer, keep).await
    }
}

#[async_trait]
impl Documents for Postgres {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let rows = self.read(documents::FIND, &[&self.pipeline.as_ref(), &document.as_str()]).await?;
        Ok(documents::found(document, &rows))
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
impl Spending for Postgres {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        let rows = self.read(spending::ALL, &[&self.pipeline.as_ref()]).await?;
        Ok(rows.iter().map(spending::row).collect())
    }

    async fn of_job(&self, job: &JobId) -> Result<Spent, StoreError> {
        let rows = self.read(kept::ALL_OF_JOB, &[&self.pipeline.as_ref(), &job.as_str()]).await?;
        Ok(codec::spent_on(rows.iter().map(|row| Bytes::from(row.get::<_, Vec<u8>>(0)))))
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.queue.note(on, spent)
    }
}
