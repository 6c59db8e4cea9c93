//! What a stage decides about an item.

use bytes::Bytes;

use super::failure::Failure;
use super::header::{Attribute, Header};
use super::size::Size;

/// One item as a stage emits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The content.
    pub payload: Bytes,
    /// Media type of the content.
    pub content_type: Option<String>,
    /// `None` keeps the key of the input item.
    pub key: Option<Bytes>,
    /// The complete list; the input item's headers are not inherited.
    pub headers: Vec<Header>,
    /// Added to the attributes of the input item; a repeated name replaces the old value.
    pub attributes: Vec<Attribute>,
    /// The branch to take; `None` takes the default route.
    pub branch: Option<String>,
}

impl Size for Output {
    fn size(&self) -> usize {
        let Self { payload, content_type, key, headers, attributes, branch } = self;
        payload.size() + content_type.size() + key.size() + headers.size() + attributes.size() + branch.size()
    }
}

/// What a stage decided about an item that it could process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These items go on, in this order.
    Emit(Vec<Output>),
    /// Dropped on purpose; the text is a code.
    Drop(String),
    /// The data is bad, and no retry will help.
    Reject(Failure),
}
