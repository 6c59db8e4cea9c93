//! Why a module is refused: every refusal names the stage, the file and the reason. Also the fault by which the host
//! ends a call.

use std::fmt;

use super::bindings::exports::gristmill::stage::lifecycle::ConfigFault as GuestFault;
use gristmill_core::model::text;
use gristmill_core::ports::StoreError;
use gristmill_core::settings::{ByteSize, ReadError};
use serde::{Deserialize, Serialize};

/// The state store failed during a guest's call. The guest can do nothing about it: the call ends, and the flow
/// decides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(super) struct StoreFault(#[from] pub(super) StoreError);

/// One fault in a stage's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFault {
    /// JSON Pointer into the configuration; "" for all of it.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl From<GuestFault> for ConfigFault {
    fn from(fault: GuestFault) -> Self {
        Self::new(&fault.pointer, &fault.message)
    }
}

/// Maximum faults of one configuration.
const MOST_FAULTS: usize = 100;
/// The longest JSON Pointer and the longest message of a fault, in bytes.
const LONGEST_FAULT: usize = 1_000;

impl ConfigFault {
    /// A fault in a guest's or a schema's words, which are cleaned and bounded.
    pub(super) fn new(pointer: &str, message: &str) -> Self {
        // A pointer that was cut or changed would point elsewhere.
        let is_clean = pointer.len() <= LONGEST_FAULT && !pointer.contains(char::is_control);
        let pointer = if is_clean { pointer.to_owned() } else { String::new() };
        Self { pointer, message: text::line(message, LONGEST_FAULT) }
    }
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
    Read(ReadError),
    /// No builtin stage has that name; holds the known names.
    NoSuchBuiltin(Vec<String>),
    /// The bytes are not a component.
    NotAComponent(String),
    /// There is more of something in it, or in what it says of itself, than allowed.
    TooMany {
        /// What.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// It declares a branch whose label is not a name.
    Branch(String),
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
    /// Compiling it or trying it out takes more than that may; holds the limit with its amount and its name.
    CompileLimit(String),
    /// The process that compiles did not get to an answer.
    Compiler(String),
    /// That process refuses it, in these words.
    Refused(String),
}

impl Reason {
    /// The configuration does not fit: the first hundred faults, and how many more there are.
    pub(super) fn config<F>(faults: impl Iterator<Item = F>, fault: impl Fn(F) -> ConfigFault) -> Self {
        let mut faults = faults.fuse();
        let mut first: Vec<ConfigFault> = faults.by_ref().take(MOST_FAULTS).map(fault).collect();
        match faults.count() {
            0 => {}
            more => first.push(ConfigFault::new("", &format!("and {more} more faults"))),
        }
        Self::Config(first)
    }
}

impl fmt::Display for Reason {
    /// One line: what is wrong is often told in the words of the module.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::line(&self.words(), LONGEST_REASON))
    }
}

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 8 << 10;

impl Reason {
    fn words(&self) -> String {
        match self {
            Self::Read(error) => format!("cannot be read: {error}"),
            Self::NoSuchBuiltin(known) => {
                format!("there is no builtin stage of that name; the known ones are {}", known.join(", "))
            }
            Self::NotAComponent(what) => what.clone(),
            Self::TooMany { what, most } => format!("has too many {what}: at most {most} are allowed"),
            Self::Branch(label) => {
                format!("declares the branch {label:?}, but labels of branches have 1 to 64 of a-z, 0-9 and \"-\"")
            }
            Self::Compile(error) => format!("does not compile: {error:#}"),
            Self::Memory { wanted, most } => format!(
                "may use {wanted} of memory, but this process was started to give an instance at most {most} bytes; \
                 restart it, or start it with a larger limits.memory in the host file"
            ),
            Self::Import { import, why } => format!("imports {import}: {why}"),
            Self::Contract(error) => format!("does not fit the stage contract: {error:#}"),
            Self::Call { function, failure } => format!("failed in {function}: {failure}"),
            Self::Schema(fault) => format!("has an invalid JSON Schema for its configuration: {fault}"),
            Self::CompileLimit(limit) => format!(
                "is too costly: compiling it and trying it out takes more than {limit}; make it smaller, or raise the limit in \
                 the host file"
            ),
            Self::Compiler(how) => format!("was not compiled: the process that does it failed, {how}"),
            Self::Refused(words) => words.clone(),
            Self::Config(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                format!("does not take this configuration: {}", faults.join("; "))
            }
        }
    }
}

/// Why there is no snapshot.
pub(super) enum Unfit {
    /// The module or its configuration is refused.
    Refused(Reason),
    /// It is of a kind that cannot be kept, for the reason in words that follow its name.
    Always(String),
    /// It broke on the way. The module in full decides whether it is any good.
    Now(String),
}

impl Unfit {
    /// Why the module cannot be used, where nothing but this was tried.
    pub(super) fn into_reason(self) -> Reason {
        match self {
            Self::Refused(reason) => reason,
            Self::Always(why) | Self::Now(why) => Reason::Compile(wasmtime::Error::msg(why)),
        }
    }
}

impl From<Reason> for Unfit {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Call { .. } | Reason::Compile(_) | Reason::Contract(_) => Self::Now(reason.to_string()),
            other => Self::Refused(other),
        }
    }
}
