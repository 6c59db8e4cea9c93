//! A module tried out before it is compiled in full: what it says of itself, whether it takes its configuration, and whether
//! what it holds after `init` can be kept.
//!
//! It runs as it does in a job, within the same limits, but from code that was compiled for this one time.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use wasmtime::component::Component;

use super::code::{Room, blocking};
use super::engine;
use super::error::Unfit;
use super::exports::Linked;
use super::grants::Grants;
use super::imports::linker;
use super::notes::{Said, Start};
use super::slots::Slots;
use super::snapshot::Readable;
use super::stage::{Parts, WasmStage};
use super::state::Surroundings;

/// What is tried out.
pub(super) struct Trial {
    pub(super) wasm: Bytes,
    pub(super) grants: Grants,
    pub(super) config: serde_json::Value,
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) slots: Arc<Slots>,
}

/// What came out.
pub(super) struct Taken {
    pub(super) said: Said,
    /// A component whose instances begin where `init` ended.
    pub(super) wasm: Vec<u8>,
}

impl Trial {
    /// Tries it out, on a thread of its own: reading and compiling take long. If it is dropped, the trial goes on to its end.
    pub(super) async fn run(self, room: Option<Room>) -> Result<Taken, Unfit> {
        let handle = Handle::current();
        let try_out = move || {
            let _room = room;
            handle.block_on(self.take())
        };
        blocking(try_out).await.unwrap_or_else(|broke| Err(broke.into()))
    }

    async fn take(self) -> Result<Taken, Unfit> {
        let Self { wasm, grants, config, surroundings, slots } = self;
        let readable = Readable::of(&wasm).map_err(Unfit::Always)?;
        let linked = compile(&readable.wasm, grants).map_err(|error| Unfit::Now(format!("{error:#}")))?;
        let start = Start::Init { why: String::new() };
        let config_text = config.to_string();
        let parts = Parts { linked, code: None, start, surroundings, digest: "".into(), config: config_text, slots };
        let mut stage = WasmStage::new(parts);
        let schema = stage.describe(&config).await?;
        let held = stage.init_and_read().await?;
        let wasm = readable.holding(held).map_err(Unfit::Always)?;
        Ok(Taken { said: Said { description: stage.description().clone(), schema }, wasm })
    }
}

fn compile(wasm: &[u8], grants: Grants) -> anyhow::Result<Linked> {
    let engine = engine::trying()?;
    let component = Component::new(&engine, wasm)?;
    Ok(Linked::new(linker(&engine, grants)?.instantiate_pre(&component)?)?)
}
