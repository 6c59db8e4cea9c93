//! Defaults of how answers are streamed from a server to this host.

use std::time::Duration;

/// Default time to the first byte of an answer. Servers that queue a call or read a long prompt send nothing meanwhile.
pub const DEFAULT_FIRST_BYTE: Duration = Duration::from_secs(120);
/// The same for Ollama, which loads the model first.
pub const OLLAMA_FIRST_BYTE: Duration = Duration::from_secs(300);
/// Default time between two parts of an answer. Some servers send nothing while the model thinks.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(60);

/// Answers are streamed unless the file says otherwise: one that takes minutes outlives no proxy's limit as one piece, and
/// a server that hangs is noticed early.
pub(super) fn default_stream() -> bool {
    true
}

pub(super) fn default_first_byte() -> Duration {
    DEFAULT_FIRST_BYTE
}

pub(super) fn ollama_first_byte() -> Duration {
    OLLAMA_FIRST_BYTE
}

pub(super) fn default_idle() -> Duration {
    DEFAULT_IDLE
}
