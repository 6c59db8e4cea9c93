//! What stages keep between items, in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use gristmill_core::model::{Entry, Space, StateWrite, Wrote};
use gristmill_core::ports::{StageState, StoreError};

/// Remembers in memory what stages keep: as much as their quotas allow.
#[derive(Debug, Default)]
pub struct MemoryState {
    /// Locked because the jobs of a pipeline share it; never held across an await.
    stages: Mutex<HashMap<String, OfStage>>,
}

#[derive(Debug, Default)]
struct OfStage {
    space: Space,
    entries: HashMap<String, Entry>,
}

impl MemoryState {
    fn stages(&self) -> MutexGuard<'_, HashMap<String, OfStage>> {
        // Nothing panics midway through a change.
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StageState for MemoryState {
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.stages().get(stage).and_then(|stage| stage.entries.get(key)).cloned())
    }

    async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        let mut stages = self.stages();
        let OfStage { space, entries } = stages.entry(stage.to_owned()).or_default();
        let before = entries.get(&write.key);
        if !write.expected.is_met_by(before.map(|entry| entry.version)) {
            return Ok(Wrote::Conflict(before.cloned()));
        }
        let Some(after) = space.after(&write, before.map(|entry| entry.value.len())) else { return Ok(Wrote::Full) };
        *space = after;
        match write.value {
            Some(value) => drop(entries.insert(write.key, Entry { version: after.version, value })),
            None => drop(entries.remove(&write.key)),
        }
        Ok(Wrote::Done(after.version))
    }
}
