//! Adapter: stages as sandboxed WebAssembly components, on wasmtime.
//!
//! There is one [`Runtime`] per process and one [`WasmStage`] per stage of a pipeline. An instance lives for one item,
//! or for many if they share it.

mod backtrace;
mod bindings;
mod cache;
mod code;
mod compile_child;
mod compiler;
mod convert;
mod description;
mod engine;
mod error;
mod exports;
mod grants;
mod imports;
mod inspect;
mod instance;
mod limits;
mod measure;
mod module;
mod notes;
mod output;
mod outputs;
mod runtime;
mod schema;
mod slots;
mod snapshot;
mod stage;
mod state;
mod trial;

pub use compile_child::compile_for_parent;
pub use compiler::{CompileLimits, Compiler, CompilerChild};
pub use description::Description;
pub use error::{ConfigFault, LoadError, Reason};
pub use grants::{Grant, Grants};
pub use inspect::Interfaces;
pub use limits::{Isolation, StageLimits};
pub use module::Module;
pub use notes::{Described, Start, Unrouted};
pub use runtime::{Instances, Runtime, RuntimeSettings, StageSpec};
pub use stage::WasmStage;
pub use state::State;
