//! What documents have left in the sink, what was spent on models, what stages keep, and records of jobs, remembered as long
//! as this process lives: for brokers that end with it.

mod jobs;
mod state;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::jobs::MemoryJobs;
pub use self::state::MemoryState;
use async_trait::async_trait;
use gristmill_core::model::{DocumentGeneration, DocumentId, History, JobId, RecordGeneration, Spent, SpentOn};
use gristmill_core::ports::{Documents, Placed, Remembered, Spending, StoreError};

/// Remembers documents in memory. Grows with what is in the sink.
#[derive(Debug, Default)]
pub struct MemoryDocuments {
    /// Locked because the jobs of a pipeline share it; never held across an await.
    documents: Mutex<HashMap<DocumentId, Document>>,
}

#[derive(Debug, Default)]
struct Document {
    history: History,
    placed: BTreeMap<Placed, DocumentGeneration>,
}

impl MemoryDocuments {
    fn documents(&self) -> MutexGuard<'_, HashMap<DocumentId, Document>> {
        // Nothing panics midway through a change.
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Documents for MemoryDocuments {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let found = |document: &Document| Remembered {
            history: document.history.clone(),
            placed: document.placed.keys().cloned().collect(),
        };
        Ok(self.documents().get(document).map(found).unwrap_or_default())
    }

    async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        let mut documents = self.documents();
        let Document { history, placed } = documents.entry(document.clone()).or_default();
        for item in items {
            let by = placed.entry(item.clone()).or_insert(begun.generation);
            *by = begun.generation.max(*by);
        }
        if history.begun.as_ref().is_none_or(|before| before.generation <= begun.generation) {
            history.begun = Some(begun.clone());
        }
        Ok(())
    }

    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        let mut documents = self.documents();
        let Document { history, placed } = documents.entry(document.clone()).or_default();
        if history.last.as_ref().is_none_or(|before| before.generation <= last.generation) {
            placed.retain(|_, by| *by >= last.generation);
            history.last = Some(last);
        }
        Ok(())
    }
}

/// Remembers in memory what was spent.
#[derive(Debug, Default)]
pub struct MemorySpending {
    /// Locked because the jobs of a pipeline share it; never held across an await.
    spent: Mutex<BTreeMap<SpentOn, Spent>>,
}

impl MemorySpending {
    fn spent(&self) -> MutexGuard<'_, BTreeMap<SpentOn, Spent>> {
        // Nothing panics midway through a change.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Spending for MemorySpending {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        Ok(self.spent().iter().map(|(on, spent)| (on.clone(), *spent)).collect())
    }

    /// Nothing: no answers are kept here.
    async fn of_job(&self, _: &JobId) -> Result<Spent, StoreError> {
        Ok(Spent::default())
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        let mut all = self.spent();
        let sum = all.entry(on).or_default();
        *sum = sum.plus(spent);
        Ok(())
    }
}
