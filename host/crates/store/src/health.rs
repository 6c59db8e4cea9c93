//! Whether a store still works. The first permanent failure breaks it for good: what it holds is then unknown.

use std::sync::OnceLock;

use gristmill_core::ports::StoreError;

/// What a failure means for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It passes, and nothing that was acknowledged is lost: the call may be made again.
    Transient(String),
    /// It does not pass by itself, or nobody knows what the store holds now.
    Broken(String),
}

/// Whether the store still works. Shared by those who read and write it, and by their callers.
pub(super) struct Health {
    store: String,
    broken: OnceLock<String>,
}

impl Health {
    /// The health of a store that the operator calls `store`.
    pub(super) fn new(store: impl Into<String>) -> Self {
        Self { store: store.into(), broken: OnceLock::new() }
    }

    /// Returns an error if the store is broken.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.broken.get() {
            None => Ok(()),
            Some(reason) => Err(self.named(reason.clone())),
        }
    }

    /// Marks the store as broken for good. No write is tried again: a disk that failed once may report success the next
    /// time and still have lost the data.
    pub(super) fn fail(&self, reason: String) {
        if self.broken.set(reason.clone()).is_ok() {
            tracing::error!(store = %self.store, reason, "the state store is broken");
        }
    }

    /// The error for a request that was not answered.
    pub(super) fn error(&self) -> StoreError {
        let unknown = || "its thread has stopped, which is a bug; start the pipeline again".to_owned();
        self.named(self.broken.get().cloned().unwrap_or_else(unknown))
    }

    /// The error for a request that failed transiently.
    pub(super) fn transient(&self, reason: String) -> StoreError {
        StoreError::Transient { store: self.store.clone(), reason }
    }

    /// The error for a request that failed so; breaks the store if that does not pass.
    pub(super) fn failed(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Transient(reason) => self.transient(reason),
            Failure::Broken(reason) => {
                self.fail(reason);
                self.error()
            }
        }
    }

    /// The error of a store that cannot be opened.
    pub(super) fn refused(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Transient(reason) => self.transient(reason),
            Failure::Broken(reason) => self.named(reason),
        }
    }

    fn named(&self, reason: String) -> StoreError {
        StoreError::Broken { store: self.store.clone(), reason }
    }
}
