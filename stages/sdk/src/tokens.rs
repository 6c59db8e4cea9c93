//! Exact token counts through the host, which holds the tables of models once for all stages. Needs no grant.

#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::tokens as host;
pub use crate::bindings::gristmill::stage::tokens::Error;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports::tokens as host;

/// Something that counts tokens: [`Host`], or one of your own in unit tests.
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

/// Why a text was not counted, for people.
pub(crate) fn reason(error: &Error) -> String {
    match error {
        Error::UnknownEncoding(known) => {
            format!("this host cannot count in that encoding, only in {}", known.join(", "))
        }
        Error::TooLong(most) => format!("the text is longer than {most} bytes: count it in parts"),
    }
}
