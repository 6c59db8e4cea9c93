//! Small values that a stage keeps between items, in the pipeline's store. Needs the grant "state".
//!
//! A write takes effect at once and may be made again, because an item may: see the contract in `wit/state.wit`.

use crate::StageError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::state as host;
pub use crate::bindings::gristmill::stage::state::{Entry, Error, Expected};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::outside as host;

/// Where values are kept: [`Host`], or one of your own.
pub trait Store {
    /// What is kept under a key.
    ///
    /// # Errors
    /// The key cannot be one.
    fn get(&self, key: &str) -> Result<Option<Entry>, Error>;

    /// Keeps a value if what is there is expected. Returns its version.
    ///
    /// # Errors
    /// Something else is there, or there is no room.
    fn put(&self, key: &str, value: &[u8], expected: Expected) -> Result<u64, Error>;

    /// Deletes what is there, if that is expected.
    ///
    /// # Errors
    /// Something else is there.
    fn delete(&self, key: &str, expected: Expected) -> Result<(), Error>;
}

/// The host; in unit tests [`testing::Host`](crate::testing::Host).
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Store for Host {
    fn get(&self, key: &str) -> Result<Option<Entry>, Error> {
        host::get(key)
    }

    fn put(&self, key: &str, value: &[u8], expected: Expected) -> Result<u64, Error> {
        host::put(key, value, expected)
    }

    fn delete(&self, key: &str, expected: Expected) -> Result<(), Error> {
        host::delete(key, expected)
    }
}

/// Whether this is the first time that a key is seen, which is kept with a note of who saw it: the id of the item, so that
/// a further attempt at the same item is the first again.
///
/// # Errors
/// Those of the store but a conflict.
pub fn is_first(store: &impl Store, key: &str, item: &str) -> Result<bool, Error> {
    match store.put(key, item.as_bytes(), Expected::Absent) {
        Ok(_) => Ok(true),
        Err(Error::Conflict(Some(entry))) => Ok(entry.value == item.as_bytes()),
        // It was deleted meanwhile.
        Err(Error::Conflict(None)) => Ok(false),
        Err(error) => Err(error),
    }
}

impl From<Error> for StageError {
    /// Converts each case as `state.error` documents it; a conflict that nobody handles is tried again.
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict(_) => Self::retryable("state-conflict", "another item has changed the same value", None),
            Error::QuotaExceeded => Self::permanent("state-quota-exceeded", "the stage keeps all that it may"),
            Error::TooLarge(most) => Self::permanent("state-too-large", format!("a value has at most {most} bytes")),
            Error::InvalidKey => Self::permanent("state-invalid-key", "a key has 1 to 256 bytes, none of them control"),
            Error::Denied(message) => Self::permanent("state-denied", message),
            Error::Other(message) => Self::retryable("state-failed", message, None),
        }
    }
}
