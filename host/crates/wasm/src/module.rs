//! The bytes of a module: read once and bounded, however many stages use them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gristmill_core::settings::{ByteSize, read_file};
use sha2::{Digest, Sha256};

use super::error::Reason;
use super::inspect::{Interfaces, inspect};

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

    /// Its size.
    #[must_use]
    pub fn size(&self) -> ByteSize {
        ByteSize::bytes(self.wasm.len() as u64)
    }

    /// What it imports and exports. Does not compile it.
    ///
    /// # Errors
    /// It is no component, or larger than one may be.
    pub fn interfaces(&self) -> Result<Interfaces, Reason> {
        self.check_header()?;
        inspect(&self.wasm)
    }

    /// SHA-256 of the bytes, in 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.wasm
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
