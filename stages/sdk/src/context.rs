//! Information about the current call. In unit tests it comes from [`testing::Host`](crate::testing).

#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::context as host;
pub use crate::bindings::gristmill::stage::context::Identity;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports::context as host;

/// Names of the pipeline and the stage, and the trace of the job.
#[must_use]
pub fn identity() -> Identity {
    host::get_identity()
}

/// Milliseconds left before the host stops this call.
#[must_use]
pub fn time_left() -> u64 {
    host::time_left()
}

/// True once the host was asked to stop: return early with a retryable error.
#[must_use]
pub fn is_cancelled() -> bool {
    host::is_cancelled()
}

/// Whether the pipeline file gives this branch of the stage a route, so that outputs may name it.
#[must_use]
pub fn is_routed(label: &str) -> bool {
    host::is_routed(label)
}
