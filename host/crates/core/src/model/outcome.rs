//! What a stage says of an item.

use std::fmt;

use bytes::Bytes;

use super::{Attribute, Header, Size};

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable and kebab-case: the `failure_reason` of a dead letter, the label of a metric.
    pub code: String,
    /// For people; no secrets, no document text.
    pub message: String,
    /// Further details as a JSON document.
    pub details: Option<String>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// One item as a stage emits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The content.
    pub payload: Bytes,
    /// Media type of the content.
    pub content_type: Option<String>,
    /// `None` takes the key of the item that went in.
    pub key: Option<Bytes>,
    /// The complete list.
    pub headers: Vec<Header>,
    /// Added to the attributes of the item that went in; a repeated name replaces.
    pub attributes: Vec<Attribute>,
    /// The branch it goes down; `None` is the next stage.
    pub branch: Option<String>,
}

impl Size for Output {
    fn size(&self) -> usize {
        let Self { payload, content_type: _, key, headers, attributes, branch: _ } = self;
        payload.size() + key.size() + headers.size() + attributes.size()
    }
}

/// What a stage decided about an item that it understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These items go on, in this order.
    Emit(Vec<Output>),
    /// Filtered on purpose; the text is a code.
    Drop(String),
    /// The data is bad and no retry will help.
    Reject(Failure),
}
