//! Writes to PostgreSQL: many requests in one transaction, each kind with one statement for all of its rows.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, Transaction};
use tokio::runtime::Runtime;
use tokio_postgres::Error;

use super::failure::{failure, no_answer, pool_failure};
use super::retention::Sweep;
use super::spending::Adder;
use super::{answers, deliveries, documents, kept, records};
use crate::health::Failure;
use crate::request::{self, Request};
use crate::writer::{Backend, Written};

/// How long a transaction may take.
const WRITE: Duration = Duration::from_secs(30);

/// What holds in each transaction. A host that is frozen in the middle of one must not hold up the others for long. What
/// is acknowledged is synced, whatever the default of the database.
const BOUNDS: &str = "
    SET LOCAL lock_timeout = '5s';
    SET LOCAL statement_timeout = '20s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/// The database as its writer sees it, on the writer's own thread. It has a runtime of its own, so that what is queued is
/// written also when the host's ends.
pub(super) struct Session {
    pub(super) runtime: Runtime,
    pub(super) tables: Tables,
}

pub(super) struct Tables {
    /// Of one connection.
    pub(super) pool: Pool,
    pub(super) pipeline: Arc<str>,
    pub(super) adder: Adder,
    pub(super) sweep: Sweep,
}

impl Backend for Session {
    fn write(&mut self, batch: &[Request]) -> Result<Written, Failure> {
        if batch.is_empty() {
            return Ok(Written::default());
        }
        self.runtime.block_on(self.tables.write(batch))
    }

    fn tidy(&mut self) -> Result<(), Failure> {
        if !self.tables.sweep.begin_when_due() {
            return Ok(());
        }
        let swept = self.runtime.block_on(self.tables.tidy());
        if swept.is_err() {
            self.tables.sweep.give_up();
        }
        swept
    }

    fn is_behind(&self) -> bool {
        self.tables.sweep.under_way()
    }
}

impl Tables {
    async fn write(&mut self, batch: &[Request]) -> Result<Written, Failure> {
        let mut client = self.pool.get().await.map_err(|error| pool_failure(&error))?;
        let adder = &self.adder;
        let written = async {
            let transaction = begin(&mut client).await.map_err(|error| failure(&error))?;
            let earlier = kept::write(&transaction, &self.pipeline, batch).await?;
            let failed = |error: Error| failure(&error);
            documents::write(&transaction, &self.pipeline, batch).await.map_err(failed)?;
            let bytes = answers::write(&transaction, &self.pipeline, batch).await.map_err(failed)?;
            let changed = records::change(&transaction, &self.pipeline, request::changes(batch)).await?;
            let mut delivered = Vec::new();
            for change in request::deliveries(batch) {
                delivered.push(deliveries::change(&transaction, &self.pipeline, change).await?);
            }
            let added = adder.write(&transaction, &self.pipeline, batch).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok((Written { earlier, changed, delivered, ..Written::default() }, bytes, added))
        };
        let written = match tokio::time::timeout(WRITE, written).await {
            Ok(written) => written,
            Err(_) => {
                // Nobody knows what is under way on it.
                drop(Object::take(client));
                Err(no_answer(WRITE))
            }
        };
        match written {
            Ok((written, bytes, added)) => {
                self.adder.added = Some(added);
                self.sweep.note_answers(bytes);
                Ok(written)
            }
            Err(failure) => {
                // The answer to the commit may have been lost.
                self.adder.added = None;
                Err(failure)
            }
        }
    }

    async fn tidy(&mut self) -> Result<(), Failure> {
        let mut client = self.pool.get().await.map_err(|error| pool_failure(&error))?;
        let sweep = &mut self.sweep;
        let swept = async {
            let transaction = begin(&mut client).await?;
            sweep.step(&transaction, &self.pipeline).await?;
            transaction.commit().await
        };
        match tokio::time::timeout(WRITE, swept).await {
            Ok(swept) => swept.map_err(|error| failure(&error)),
            Err(_) => {
                drop(Object::take(client));
                Err(no_answer(WRITE))
            }
        }
    }
}

async fn begin(client: &mut Object) -> Result<Transaction<'_>, Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(BOUNDS).await?;
    Ok(transaction)
}
