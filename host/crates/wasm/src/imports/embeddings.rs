//! `embeddings`: declared for stages that are written today. This host has no embedding models, so each call is denied.

use crate::bindings::gristmill::stage::embeddings::{Host, Request, Response};
use crate::bindings::gristmill::stage::llm_types::Error;
use crate::state::CallState;

impl Host for CallState {
    fn embed(&mut self, _: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.ask("a model");
        Ok(Err(Error::Denied("this host has no embedding models yet".into())))
    }
}
