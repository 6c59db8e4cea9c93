//! Information about the current call.

use crate::bindings::gristmill::stage::context as host;
pub use crate::bindings::gristmill::stage::context::Identity;

/// Names of the pipeline and the stage, and the trace of the job.
#[must_use]
pub fn identity() -> Identity {
    if cfg!(target_arch = "wasm32") {
        return host::get_identity();
    }
    Identity { pipeline: "sample".into(), stage: "sample".into(), traceparent: None }
}

/// Milliseconds left before the host stops this call.
#[must_use]
pub fn time_left() -> u64 {
    if cfg!(target_arch = "wasm32") { host::time_left() } else { u64::MAX }
}

/// True once the host was asked to stop: return early with a retryable error.
#[must_use]
pub fn is_cancelled() -> bool {
    cfg!(target_arch = "wasm32") && host::is_cancelled()
}

/// Whether the pipeline file gives this branch of the stage a route, so that outputs may name it. Always false in unit
/// tests.
#[must_use]
pub fn is_routed(label: &str) -> bool {
    cfg!(target_arch = "wasm32") && host::is_routed(label)
}
