//! Messages for the operator; the host adds pipeline, stage and job, and limits rate and length.

#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::logging as host;
pub use crate::bindings::gristmill::stage::logging::Level;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports::logging as host;

/// Logs a detail that helps to follow one item.
pub fn debug(message: &str) {
    host::log(Level::Debug, "", message);
}

/// Logs a normal event.
pub fn info(message: &str) {
    host::log(Level::Info, "", message);
}

/// Logs something that an operator should look at.
pub fn warn(message: &str) {
    host::log(Level::Warn, "", message);
}
