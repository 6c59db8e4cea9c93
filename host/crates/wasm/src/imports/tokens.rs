//! `tokens`: a guest counts tokens. The answers depend on the arguments only, so a snapshot may hold them.

use crate::bindings::gristmill::stage::tokens::{Error, Host};
use crate::state::CallState;

/// Maximum length of a text, in bytes: counting it does not yield to other calls.
const MOST_TEXT: usize = 1 << 20;

impl Host for CallState {
    fn count(&mut self, encoding: String, text: String) -> wasmtime::Result<Result<u32, Error>> {
        if text.len() > MOST_TEXT {
            return Ok(Err(Error::TooLong(MOST_TEXT as u64)));
        }
        let tokens = &self.surroundings.tokens;
        let known = || tokens.encodings().iter().map(|&name| name.to_owned()).collect();
        let count = tokens.count(&encoding, &text).ok_or_else(|| Error::UnknownEncoding(known()));
        Ok(count.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
    }
}
