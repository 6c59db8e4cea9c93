//! Why a module is refused: every refusal names the stage, the file and the reason. Also the fault by which the host
//! ends a call.

use std::fmt;

use gristmill_core::ports::StoreError;
use gristmill_core::settings::ByteSize;

/// The state store failed during a guest's call. The guest can do nothing about it: the call ends, and the flow
/// decides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(super) struct StoreFault(#[from] pub(super) StoreError);

/// One fault in a stage's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// JSON Pointer into the configuration; "" for all of it.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

/// A stage that cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[error("stage {stage:?}: {module}: {reason}")]
pub struct LoadError {
    /// The stage's name in the pipeline file.
    pub stage: String,
    /// The module as the pipeline file names it.
    pub module: String,
    /// The reason.
    pub reason: Reason,
}

/// Why a stage cannot be loaded.
#[derive(Debug)]
pub enum Reason {
    /// The file cannot be read.
    Read(std::io::Error),
    /// No builtin stage has that name; holds the known names.
    NoSuchBuiltin(Vec<String>),
    /// The bytes are not a component.
    NotAComponent(String),
    /// It does not compile.
    Compile(wasmtime::Error),
    /// Its limit is above what the engine was built to give an instance.
    Memory {
        /// Its limit.
        wanted: ByteSize,
        /// What the engine gives, in bytes.
        most: usize,
    },
    /// It imports something it may not use.
    Import {
        /// The import.
        import: String,
        /// The reason.
        why: String,
    },
    /// Its imports or exports do not have the types of the contract.
    Contract(wasmtime::Error),
    /// It failed while it was described or initialized.
    Call {
        /// "describe" or "init".
        function: &'static str,
        /// How it failed.
        failure: String,
    },
    /// Its JSON Schema for its configuration is invalid.
    Schema(String),
    /// The configuration does not fit.
    Config(Vec<ConfigFault>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot be read: {error}"),
            Self::NoSuchBuiltin(known) => {
                write!(f, "there is no builtin stage of that name; the known ones are {}", known.join(", "))
            }
            Self::NotAComponent(what) => f.write_str(what),
            Self::Compile(error) => write!(f, "does not compile: {error:#}"),
            Self::Memory { wanted, most } => write!(
                f,
                "may use {wanted} of memory, but this process was started to give an instance at most {most} bytes; \
                 restart it, or start it with a larger limits.memory in the host file"
            ),
            Self::Import { import, why } => write!(f, "imports {import}: {why}"),
            Self::Contract(error) => write!(f, "does not fit the stage contract: {error:#}"),
            Self::Call { function, failure } => write!(f, "failed in {function}: {failure}"),
            Self::Schema(fault) => write!(f, "has an invalid JSON Schema for its configuration: {fault}"),
            Self::Config(faults) => {
                f.write_str("does not take this configuration: ")?;
                for (index, fault) in faults.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{fault}")?;
                }
                Ok(())
            }
        }
    }
}
