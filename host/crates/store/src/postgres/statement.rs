//! Statements, each prepared once for a connection.

use deadpool_postgres::GenericClient;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a statement returns.
pub(super) async fn query(client: &impl GenericClient, sql: &str, given: Parameters<'_>) -> Result<Vec<Row>, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, given).await
}

/// How many rows a statement has changed.
pub(super) async fn execute(client: &impl GenericClient, sql: &str, given: Parameters<'_>) -> Result<u64, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, given).await
}
