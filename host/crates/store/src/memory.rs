//! What documents have left in the sink, remembered as long as this process lives: for brokers that end with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use gristmill_core::model::{DocumentGeneration, DocumentId, LastGeneration};
use gristmill_core::ports::{Documents, Placed, Remembered, StoreError};

/// Remembers documents in memory. Grows with what is in the sink.
#[derive(Debug, Default)]
pub struct MemoryDocuments {
    /// Locked because the jobs of a pipeline share it; never held across an await.
    documents: Mutex<HashMap<DocumentId, Document>>,
}

#[derive(Debug, Default)]
struct Document {
    last: Option<LastGeneration>,
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
            last: document.last.clone(),
            placed: document.placed.iter().map(|(placed, by)| (placed.clone(), *by)).collect(),
        };
        Ok(self.documents().get(document).map(found).unwrap_or_default())
    }

    async fn intend(
        &self,
        document: &DocumentId,
        generation: DocumentGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        let mut documents = self.documents();
        let placed = &mut documents.entry(document.clone()).or_default().placed;
        for item in items {
            let by = placed.entry(item.clone()).or_insert(generation);
            *by = generation.max(*by);
        }
        Ok(())
    }

    fn finish(&self, document: &DocumentId, last: LastGeneration) -> Result<(), StoreError> {
        let mut documents = self.documents();
        let document = documents.entry(document.clone()).or_default();
        document.placed.retain(|_, by| *by >= last.generation);
        document.last = Some(last);
        Ok(())
    }
}
