//! What guests may call: one file per WIT interface, with its name.

mod context;
mod embeddings;
mod llm;
mod logging;

use super::bindings::gristmill::stage::{llm_types, types};
use super::state::CallState;

// These two interfaces contain only types.
impl types::Host for CallState {}
impl llm_types::Host for CallState {}
