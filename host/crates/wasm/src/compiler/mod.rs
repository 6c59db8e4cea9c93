//! Where modules are compiled and tried out: in this process, or in a child of it that has limits.
//!
//! A compiler's time and memory depend on what it is given, and what it is given comes from others. In a child, the worst that
//! a module can do is to have that child killed, and all the memory that it took is given back when the child ends.

mod parent;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::settings::{ByteSize, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{ConfigFault, Reason};
use super::grants::Grants;
use super::limits::{Isolation, StageLimits};
use super::notes::Start;

/// Who compiles modules.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// This process: for commands that look at files and end.
    #[default]
    Here,
    /// A child of this process for each module, as long as compiled code can be kept in the cache, where the child leaves it.
    Child(CompilerChild),
}

/// How a child that compiles is started, and what it may use.
#[derive(Debug, Clone)]
pub struct CompilerChild {
    /// The program.
    pub program: PathBuf,
    /// The arguments with which the program calls [`compile_for_parent`](crate::compile_for_parent) on its standard input, and prints what that returns.
    pub arguments: Vec<OsString>,
    /// Variables of its environment, beside the few that it gets of ours.
    pub environment: Vec<(OsString, OsString)>,
    /// What it may use.
    pub limits: CompileLimits,
}

/// What a process that compiles and tries out one module may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompileLimits {
    /// Its memory.
    #[schemars(extend("x-min" = "256MiB", "x-max" = "64GiB"))]
    pub memory: ByteSize,
    /// The CPU time of all its threads, rounded up to seconds.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1s", "x-max" = "1h"))]
    pub cpu: Duration,
    /// Its elapsed time.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1s", "x-max" = "1h"))]
    pub wall: Duration,
}

impl Default for CompileLimits {
    /// 2 GiB, 5 min, 15 min.
    fn default() -> Self {
        Self { memory: ByteSize::mib(2 << 10), cpu: Duration::from_secs(5 * 60), wall: Duration::from_secs(15 * 60) }
    }
}

/// What a child is to compile; one line of JSON, which the module follows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Errand {
    pub(super) limits: CompileLimits,
    pub(super) cache: PathBuf,
    pub(super) largest_memory: usize,
    pub(super) pipeline: String,
    pub(super) stage: String,
    pub(super) config: serde_json::Value,
    pub(super) routed: BTreeSet<String>,
    pub(super) grants: Grants,
    pub(super) stage_limits: StageLimits,
    pub(super) isolation: Isolation,
    /// The size of the module, in bytes.
    pub(super) size: u64,
}

/// What a child says at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is in the cache, and begins in this way.
    Made(Start),
    /// The module does not take its configuration.
    Config(Vec<ConfigFault>),
    /// There was not enough memory.
    OutOfMemory,
    /// The module is refused for another reason, in words that follow its name.
    Refused(String),
}

impl From<Reason> for Answer {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Config(faults) => Self::Config(faults),
            Reason::Compile(error) if is_out_of_memory(&error) => Self::OutOfMemory,
            reason => Self::Refused(reason.to_string()),
        }
    }
}

/// Whether the system refused memory.
fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        let refused = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        refused == Some(std::io::ErrorKind::OutOfMemory)
            || cause.downcast_ref::<rustix::io::Errno>() == Some(&rustix::io::Errno::NOMEM)
    })
}
