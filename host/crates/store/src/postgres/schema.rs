//! The tables, in a schema of their own, and their migrations.

use deadpool_postgres::Client;
use tokio_postgres::Error;

use super::failure::failure;
use crate::health::Failure;

/// The lock that a host holds while it migrates. Any number that others hardly use.
const LOCK: i64 = 0x4772_6973_746d;

/// The migrations to the newest version, in order. Never change a released one: add another.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// Creates the tables, or migrates older ones; several hosts may do that at the same moment.
///
/// # Errors
/// The server does not answer; the user may not; the schema is of another application or of a newer version.
pub(super) async fn prepare(client: &mut Client) -> Result<(), Failure> {
    let found = version(client).await?;
    if found == MIGRATIONS.len() {
        return Ok(());
    }
    migrate(client).await
}

async fn migrate(client: &mut Client) -> Result<(), Failure> {
    let failed = |error: Error| failure(&error);
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    // Looked at again: another host may have been faster. Not in the same statement as the lock, which would still see
    // what was there before.
    let row = transaction.query_one(VERSION, &[]).await.map_err(failed)?;
    let done = match (row.get::<_, bool>(0), row.get::<_, bool>(1)) {
        (false, _) => {
            transaction.batch_execute("CREATE SCHEMA gristmill").await.map_err(failed)?;
            0
        }
        (true, false) => 0,
        (true, true) => known(&transaction.query_one(NUMBER, &[]).await.map_err(failed)?)?,
    };
    for step in MIGRATIONS.iter().skip(done) {
        transaction.batch_execute(step).await.map_err(failed)?;
    }
    let version = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    transaction.execute("UPDATE gristmill.version SET number = $1", &[&version]).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// Whether there is the schema, and the table of its version. By the tables of the catalogue: functions such as `to_regclass`
/// answer from a cache, which does not see what another host has made while we waited for the lock.
const VERSION: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'gristmill'),
        EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'gristmill' AND c.relname = 'version')";
const NUMBER: &str = "SELECT number FROM gristmill.version";
const FOREIGN: &str = "
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'gristmill'";

/// The version that is there; 0 without one.
async fn version(client: &Client) -> Result<usize, Failure> {
    let failed = |error: Error| failure(&error);
    let row = client.query_one(VERSION, &[]).await.map_err(failed)?;
    match (row.get::<_, bool>(0), row.get::<_, bool>(1)) {
        (false, _) => Ok(0),
        (true, false) => {
            // A schema that an administrator has created for the user is empty.
            let others: i64 = client.query_one(FOREIGN, &[]).await.map_err(failed)?.get(0);
            if others == 0 {
                return Ok(0);
            }
            Err(Failure::Broken(
                "its schema gristmill is of another application; name another database in store.url".to_owned(),
            ))
        }
        (true, true) => known(&client.query_one(NUMBER, &[]).await.map_err(failed)?),
    }
}

/// The version of [`NUMBER`], if it is not newer than this one.
fn known(row: &tokio_postgres::Row) -> Result<usize, Failure> {
    let found = usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX);
    if found <= MIGRATIONS.len() {
        return Ok(found);
    }
    Err(Failure::Broken(format!(
        "a newer Gristmill wrote it (version {found}, this one knows {}); use that version again, or another database: \
         unfinished jobs then pay again for what they had paid for",
        MIGRATIONS.len()
    )))
}

/// Warns if the server does not sync what it acknowledges.
pub(super) async fn warn_if_careless(client: &Client, store: &str) {
    let asked = client.query_one("SELECT current_setting('fsync') = 'off'", &[]).await;
    if asked.is_ok_and(|row| row.get(0)) {
        tracing::warn!(store, "fsync is off: what the state store has acknowledged is lost if its machine fails");
    }
}
