//! The time of the day: read here and passed to all who need it.

use std::time::SystemTime;

use gristmill_core::model::Timestamp;

/// Now.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
