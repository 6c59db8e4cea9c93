//! A module tried out before it is compiled in full, or in place of that: what it says of itself, whether it takes its
//! configuration, and whether what it holds after `init` can be kept.
//!
//! It runs as it does in a job, within the same limits, but from code that was compiled for this one time.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::code::{Room, blocking};
use super::engine;
use super::error::{Reason, Unfit};
use super::exports::Linked;
use super::grants::Grants;
use super::imports::linker;
use super::notes::{Said, Start, Unrouted};
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
pub(super) struct Tried {
    pub(super) said: Said,
    /// A component whose instances begin where `init` ended, or why there can be none, in words that follow the name of the
    /// stage.
    pub(super) snapshot: Result<Vec<u8>, String>,
}

impl Trial {
    /// Tries it out, on a thread of its own: reading and compiling take long. If it is dropped, the trial goes on to its end.
    pub(super) async fn run(self, room: Option<Room>) -> Result<Tried, Unfit> {
        let handle = Handle::current();
        let try_out = move || {
            let _room = room;
            handle.block_on(self.take())
        };
        blocking(try_out).await.unwrap_or_else(|broke| Err(broke.into()))
    }

    /// Asks it to describe itself and nothing else: the configuration may be one that it does not take. On a thread of its
    /// own, as [`run`](Self::run) does.
    pub(super) async fn describe(self) -> Result<Said, Unfit> {
        let handle = Handle::current();
        let describe = move || {
            handle.block_on(async {
                let config = self.config.clone();
                let wasm = self.wasm.clone();
                let mut stage = self.stage(&wasm)?;
                match stage.describe(&config).await {
                    Ok(schema) => Ok(Said { description: stage.description().clone(), schema }),
                    Err(Reason::Config(_)) => {
                        let schema = stage.described().schema.map(|schema| schema.to_string());
                        Ok(Said { description: stage.description().clone(), schema })
                    }
                    Err(reason) => Err(reason.into()),
                }
            })
        };
        blocking(describe).await.unwrap_or_else(|broke| Err(broke.into()))
    }

    /// The stage, of these bytes.
    fn stage(self, wasm: &[u8]) -> Result<WasmStage, Unfit> {
        let Self { grants, config, surroundings, slots, .. } = self;
        Ok(WasmStage::new(Parts {
            linked: compile(wasm, grants)?,
            code: None,
            start: Start::Init { why: String::new() },
            unrouted: Unrouted::default(),
            surroundings,
            digest: "".into(),
            config: config.to_string(),
            slots,
        }))
    }

    async fn take(self) -> Result<Tried, Unfit> {
        let (config, wasm) = (self.config.clone(), self.wasm.clone());
        let (readable, instrumented) = match Readable::of(&wasm) {
            Ok((readable, instrumented)) => (Ok(readable), Some(instrumented)),
            Err(why) => (Err(why), None),
        };
        let mut stage = self.stage(instrumented.as_deref().unwrap_or(&wasm))?;
        drop(instrumented);
        let schema = stage.describe(&config).await?;
        let said = Said { description: stage.description().clone(), schema };
        let snapshot = match &readable {
            Ok(readable) => match stage.init_and_read().await {
                Ok(held) => readable.holding(held),
                Err(Unfit::Always(why)) => Err(why),
                Err(other) => return Err(other),
            },
            Err(why) => {
                stage.try_init().await?;
                Err(why.clone())
            }
        };
        Ok(Tried { said, snapshot })
    }
}

fn compile(wasm: &[u8], grants: Grants) -> Result<Linked, Unfit> {
    let component = engine::compile_to_try(wasm).map_err(|error| Unfit::Now(format!("{error:#}")))?;
    let linked = linker(component.engine(), grants).and_then(|linker| linker.instantiate_pre(&component));
    // No other compiler changes what it imports and exports.
    linked.and_then(Linked::new).map_err(|error| Unfit::Refused(Reason::Contract(error)))
}
