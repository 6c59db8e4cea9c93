//! The process that compiles modules for a host: a child of it, of the same program.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use gristmill_wasm::{CompileLimits, Compiler, CompilerChild};

use super::failure::Failure;

/// The command by which the program is such a child.
const COMPILE_STAGE: &str = "compile-stage";

/// Has modules compiled in children of this process that may use so much. To be used only by a program that knows the
/// command `compile-stage`.
///
/// # Errors
/// The system does not say which program this is.
pub fn compiler_in_child(limits: CompileLimits) -> Result<Compiler, Failure> {
    // The link leads to the program that runs, also after its file was replaced by another version.
    let linked = PathBuf::from("/proc/self/exe");
    let program = match linked.exists() {
        true => linked,
        false => std::env::current_exe()
            .map_err(|error| Failure::Setup(anyhow::Error::new(error).context("no program to compile stages with")))?,
    };
    Ok(Compiler::Child(compiler_child(program, limits)))
}

/// A child of this program that may use so much.
#[must_use]
pub fn compiler_child(program: PathBuf, limits: CompileLimits) -> CompilerChild {
    // Or the allocator would take a GiB at its start, and the limit of memory would count that.
    let environment = vec![("MIMALLOC_ARENA_EAGER_COMMIT".into(), "0".into())];
    CompilerChild { program, arguments: vec![COMPILE_STAGE.into()], environment, limits }
}

/// Is such a child: does what the parent writes to `input`, and returns what it is to be told.
///
/// # Errors
/// `input` is not what a parent writes, or this process cannot be limited.
pub async fn compile_for_parent(input: impl Read + Send + 'static) -> Result<Vec<u8>, Failure> {
    let compiled = gristmill_wasm::compile_for_parent(input, Arc::new(gristmill_tokens::BuiltIn)).await;
    compiled.map_err(Failure::Running)
}
