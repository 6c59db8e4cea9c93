//! The bytes of a module: read once and bounded, however many stages use them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gristmill_core::settings::{ByteSize, read_file};
use sha2::{Digest, Sha256};

use super::error::Reason;

/// The largest module.
const LARGEST: ByteSize = ByteSize::mib(64);

/// A module's bytes and their digest. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Module {
    pub(super) wasm: Bytes,
    /// SHA-256, in hexadecimal.
    pub(super) digest: Arc<str>,
}

impl Module {
    /// A module in memory.
    #[must_use]
    pub fn new(wasm: impl Into<Bytes>) -> Self {
        let wasm = wasm.into();
        let digest: String = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { wasm, digest: digest.into() }
    }

    /// Reads a file. Blocks.
    ///
    /// # Errors
    /// It is not a regular file of at most 64 MiB, or cannot be read.
    pub fn read(path: &Path) -> Result<Self, Reason> {
        Ok(Self::new(read_file(path, LARGEST).map_err(Reason::Read)?))
    }

    /// Refuses bytes that cannot be a component, with a message that says what they are.
    pub(super) fn check_header(&self) -> Result<(), Reason> {
        let what = match &*self.wasm {
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
                "is a core WebAssembly module, not a component; in Rust, build it for the target wasm32-wasip2"
            }
            [0x7f, b'E', b'L', b'F', ..] => {
                "is compiled native code, which is never loaded from a file; give the .wasm it was compiled from"
            }
            _ => "is not a WebAssembly component",
        };
        Err(Reason::NotAComponent(what.into()))
    }
}
