//! Messages for the operator; the host adds pipeline, stage and job, and caps rate and length.

use crate::bindings::gristmill::stage::logging::{self as host, Level};

fn log(level: Level, message: &str) {
    if cfg!(target_arch = "wasm32") {
        host::log(level, "", message);
    }
}

/// For following one item in detail.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// For the normal course of things.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// For what an operator should look at.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}
