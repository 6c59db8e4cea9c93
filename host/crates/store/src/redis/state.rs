//! What stages keep between items: a hash for each stage, changed by a script in one journey.

use async_trait::async_trait;
use bytes::Bytes;

use super::Redis;
use super::scripts::call;
use gristmill_core::model::{Entry, Expected, StateWrite, Wrote};
use gristmill_core::ports::{StageState, StoreError};

#[async_trait]
impl StageState for Redis {
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        let field = format!("e:{key}");
        let found: Option<Vec<u8>> = self.ask(redis::cmd("HGET").arg(self.names.state(stage)).arg(field)).await?;
        Ok(found.and_then(entry))
    }

    async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        let StateWrite { key, value, expected, quota } = write;
        let expected = match expected {
            Expected::Any => String::new(),
            Expected::Absent => "0".to_owned(),
            Expected::Version(version) => version.to_string(),
        };
        let mut change = call(&self.link.scripts().state, &[&self.names.state(stage)]);
        change.arg(key).arg(expected).arg(quota.keys).arg(quota.bytes);
        change.arg(u8::from(value.is_some())).arg(value.as_deref().unwrap_or_default());
        let (outcome, at): (String, Vec<u8>) = self.ask(&change).await?;
        Ok(match outcome.as_str() {
            "done" => Wrote::Done(number(&at).unwrap_or_default()),
            "conflict" => Wrote::Conflict(entry(at)),
            _ => Wrote::Full,
        })
    }
}

/// An entry as it is stored; `None` for no entry.
fn entry(stored: Vec<u8>) -> Option<Entry> {
    let colon = stored.iter().position(|byte| *byte == b':')?;
    let version = number(stored.get(..colon)?)?;
    Some(Entry { version, value: Bytes::from(stored).slice(colon + 1..) })
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
