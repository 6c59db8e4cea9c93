//! Information about the current call.

use crate::bindings::gristmill::stage::context as host;

/// Milliseconds left before the host stops this call.
#[must_use]
pub fn time_left() -> u64 {
    if cfg!(target_arch = "wasm32") { host::time_left() } else { u64::MAX }
}

/// True once the host is shutting down: return early with a retryable error.
#[must_use]
pub fn is_cancelled() -> bool {
    cfg!(target_arch = "wasm32") && host::is_cancelled()
}
