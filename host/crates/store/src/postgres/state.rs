//! What stages keep between items: by a function of the database, in one journey for each change.

use async_trait::async_trait;
use bytes::Bytes;

use super::Postgres;
use gristmill_core::model::{Entry, Expected, StateWrite, Wrote};
use gristmill_core::ports::{StageState, StoreError};

const FIND: &str = "SELECT version, value FROM gristmill.state WHERE pipeline = $1 AND stage = $2 AND key = $3";
const WRITE: &str = "SELECT is_done, at_version, at_value FROM gristmill.write_entry($1, $2, $3, $4, $5, $6, $7)";

#[async_trait]
impl StageState for Postgres {
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        let rows = self.read(FIND, &[&self.pipeline.as_ref(), &stage, &key]).await?;
        Ok(rows.first().map(|row| entry(row.get(0), row.get(1))))
    }

    async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        let StateWrite { key, value, expected, quota } = &write;
        let expected = match expected {
            Expected::Any => None,
            Expected::Absent => Some(0),
            Expected::Version(version) => Some(column(*version)),
        };
        let (keys, bytes) = (column(quota.keys), column(quota.bytes));
        let pipeline = self.pipeline.as_ref();
        let value = value.as_deref();
        let rows = self.read(WRITE, &[&pipeline, &stage, key, &value, &expected, &keys, &bytes]).await?;
        let Some(row) = rows.first() else { return Ok(Wrote::Full) };
        let (version, value) = (row.get::<_, Option<i64>>(1), row.get::<_, Option<Vec<u8>>>(2));
        Ok(match (row.get::<_, Option<bool>>(0), version) {
            (Some(true), Some(version)) => Wrote::Done(version.unsigned_abs()),
            (Some(false), version) => Wrote::Conflict(version.zip(value).map(|(version, value)| entry(version, value))),
            _ => Wrote::Full,
        })
    }
}

fn entry(version: i64, value: Vec<u8>) -> Entry {
    Entry { version: version.unsigned_abs(), value: Bytes::from(value) }
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
