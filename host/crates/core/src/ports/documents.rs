//! What documents have left in the sink, so that a later generation can remove it.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{DocumentId, History, ItemId, RecordGeneration};

/// An item in the sink.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Placed {
    /// The topic that it was written to.
    pub topic: Arc<str>,
    /// Its id, which is also its key there.
    pub item: ItemId,
}

/// What is remembered of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remembered {
    /// Its last records.
    pub history: History,
    /// Everything that may be in the sink.
    pub placed: Vec<Placed>,
}

/// Remembers what documents have left in the sink.
///
/// Before a generation is written, its items are noted with [`Documents::intend`]; after it is written and its
/// tombstones are acknowledged, [`Documents::finish`] forgets the items of earlier ones. So at every moment everything
/// that is in the sink is remembered, and a crash at any point only leaves more to be deleted than necessary.
#[async_trait]
pub trait Documents: Send + Sync {
    /// What is remembered of the document. Cancel-safe.
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError>;

    /// Notes that this record is about to be written, as these items. Once this has returned, the note survives a crash
    /// of the process or the machine. What a greater generation has noted already is left as it is.
    async fn intend(&self, document: &DocumentId, begun: &RecordGeneration, items: &[Placed])
    -> Result<(), StoreError>;

    /// Notes that this record is in the sink, and forgets the items that only smaller generations have written. Does
    /// nothing if a greater one is there. Does not wait. If the note is lost in a crash, the next generation deletes some
    /// items twice, which does no harm.
    ///
    /// # Errors
    /// If the store has already failed.
    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError>;
}
