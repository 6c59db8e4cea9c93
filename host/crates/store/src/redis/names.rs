//! The names of keys. Do not change them: hosts of other versions read them.

use std::sync::Arc;

use gristmill_core::model::{DocumentId, JobId};
use gristmill_core::ports::{Counter, Key};

/// The keys of one pipeline.
#[derive(Clone)]
pub(super) struct Names(Arc<str>);

impl Names {
    pub(super) fn of(pipeline: &str) -> Self {
        Self(format!("gristmill:{pipeline}:").into())
    }

    fn named(&self, what: &str) -> String {
        format!("{}{what}", self.0)
    }

    /// A string: the version of what is written here.
    pub(super) fn version(&self) -> String {
        self.named("version")
    }

    /// A hash: what is kept of a job, by its key.
    pub(super) fn job(&self, job: &JobId) -> String {
        self.named(&format!("job:{job}"))
    }

    /// A hash: the last records of a document and its items.
    pub(super) fn document(&self, document: &DocumentId) -> String {
        self.named(&format!("document:{}", document.as_str()))
    }

    /// A hash: what was spent, a field for each sum.
    pub(super) fn spent(&self) -> String {
        self.named("spent")
    }

    /// A string: how far a host has added to that.
    pub(super) fn added(&self, host: &str) -> String {
        self.named(&format!("added:{host}"))
    }

    /// What the key of an answer begins with.
    pub(super) fn answers(&self) -> String {
        self.named("answer:")
    }

    /// A string: an answer.
    pub(super) fn answer(&self, key: Key) -> Vec<u8> {
        [self.answers().as_bytes(), &key.0].concat()
    }

    /// A sorted set, a hash and a number: when answers are too old, their sizes, and the sum of these.
    pub(super) fn of_answers(&self) -> [String; 3] {
        [self.named("answers"), self.named("answers:sizes"), self.named("answers:bytes")]
    }
}

/// A hash: what hosts of all pipelines count together.
pub(super) fn counter(counter: &Counter) -> String {
    format!("gristmill:counter:{}", counter.name)
}
