//! Messages for the operator; the host adds pipeline, stage and job, and limits rate and length.

use crate::bindings::gristmill::stage::logging::{self as host, Level};

fn log(level: Level, message: &str) {
    if cfg!(target_arch = "wasm32") {
        host::log(level, "", message);
    }
}

/// Logs a detail that helps to follow one item.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Logs a normal event.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Logs something that an operator should look at.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}
