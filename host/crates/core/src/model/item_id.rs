//! The ids of items.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::document::DocumentId;
use super::ids::push_number;

/// The number of an output and what stands before it, in bytes; no job has outputs enough for more.
const LONGEST_ORDINAL: usize = 12;

/// Names one item: the id of the document for the event itself, otherwise parent, stage and ordinal. Equal items of all
/// generations of a document have the same id. Do not change the format: consumers replace items by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(ByteString);

impl ItemId {
    /// The item that is the event itself.
    #[must_use]
    pub fn root(document: &DocumentId) -> Self {
        Self(document.shared())
    }

    /// An item of the document from the part of its id after that of the document.
    #[must_use]
    pub fn kept(document: &DocumentId, suffix: &str) -> Self {
        Self(format!("{document}{suffix}").into())
    }

    /// The item with this id, as a record of a job has it.
    #[must_use]
    pub fn recorded(id: String) -> Self {
        Self(id.into())
    }

    /// The `ordinal`-th output of `stage` for this item.
    #[must_use]
    pub fn child(&self, stage: &str, ordinal: usize) -> Self {
        let mut id = String::with_capacity(self.0.len() + stage.len() + LONGEST_ORDINAL);
        id.push_str(&self.0);
        id.push('/');
        id.push_str(stage);
        id.push('.');
        push_number(&mut id, ordinal);
        Self(id.into())
    }

    /// The common parent of the outputs of the gathering `stage`: all items of the job that it receives.
    #[must_use]
    pub fn gathered(document: &DocumentId, stage: &str) -> Self {
        Self(format!("{document}/{stage}.all").into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text as bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.0.as_bytes().clone()
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_items_stay() {
        let document = DocumentId::named(b"a/b");
        let chunk = ItemId::root(&document).child("chunk", 2);
        assert_eq!(chunk.child("enrich", 0).as_str(), "a%2Fb/chunk.2/enrich.0");
        assert_eq!(ItemId::gathered(&document, "sum").child("sum", 0).as_str(), "a%2Fb/sum.all/sum.0");
        assert_eq!(ItemId::kept(&document, "/chunk.2"), chunk);
    }
}
