//! What guests may call, one file per WIT interface and named like it.

mod context;
mod llm;
mod logging;

use super::bindings::gristmill::stage::{llm_types, types};
use super::state::CallState;

// These two interfaces hold types only.
impl types::Host for CallState {}
impl llm_types::Host for CallState {}
