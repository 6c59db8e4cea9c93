//! Adapter: stages as sandboxed WebAssembly components, on wasmtime.
//!
//! [`Runtime`] lives once per process, a [`WasmStage`] once per stage of a pipeline, an instance once per item, or for as long as it works.

mod bindings;
mod cache;
mod convert;
mod error;
mod grants;
mod imports;
mod instance;
mod limits;
mod output;
mod runtime;
mod slots;
mod stage;
mod state;

pub use error::{ConfigFault, LoadError, Reason};
pub use grants::{Grant, Grants};
pub use limits::{Isolation, StageLimits};
pub use runtime::{Runtime, RuntimeSettings, StageSpec};
pub use stage::{Description, WasmStage};
