//! Adapter: stages as sandboxed WebAssembly components, on wasmtime.
//!
//! [`Runtime`] lives once per process, a [`WasmStage`] once per stage of a pipeline, a store once per item.

mod bindings;
mod cache;
mod convert;
mod error;
mod grants;
mod imports;
mod limits;
mod output;
mod runtime;
mod stage;
mod state;

pub use error::{ConfigFault, LoadError, Reason};
pub use grants::Grants;
pub use limits::StageLimits;
pub use runtime::{Runtime, RuntimeSettings, StageSpec};
pub use stage::{Description, WasmStage};
