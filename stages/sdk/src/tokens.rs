//! Exact token counts through the host, which holds the tables of models once for all stages. Needs no grant.

use crate::bindings::gristmill::stage::tokens as host;
pub use crate::bindings::gristmill::stage::tokens::Error;

/// Something that counts tokens: [`Host`] in the sandbox, a simpler one in unit tests.
pub trait Tokens {
    /// How many tokens a text has in an encoding, for example "o200k_base".
    ///
    /// # Errors
    /// There is no such encoding, or the text is longer than a mebibyte.
    fn count(&self, encoding: &str, text: &str) -> Result<u32, Error>;
}

/// The host's tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Tokens for Host {
    fn count(&self, encoding: &str, text: &str) -> Result<u32, Error> {
        host::count(encoding, text)
    }
}
