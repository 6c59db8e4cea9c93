//! What guests may call: one file per WIT interface, with its name; and `asking`, for those that reach outside.

mod asking;
mod context;
mod embeddings;
mod http;
mod llm;
mod logging;
mod metrics;
mod state;
mod tokens;
mod wasi;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::gristmill::stage;
use super::bindings::gristmill::stage::{llm_types, types};
use super::grants::Grants;
use super::state::CallState;

// These two interfaces contain only types.
impl types::Host for CallState {}
impl llm_types::Host for CallState {}

/// What a stage with these grants may import, and nothing else.
pub(super) fn linker(engine: &Engine, grants: Grants) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    stage::types::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    stage::logging::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    stage::context::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    stage::tokens::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    stage::llm_types::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    if grants.llm {
        stage::llm::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    }
    if grants.embeddings {
        stage::embeddings::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    }
    if grants.http {
        stage::http::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    }
    if grants.state {
        stage::state::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    }
    if grants.metrics {
        stage::metrics::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    }
    Ok(linker)
}
