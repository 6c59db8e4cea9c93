//! `tokens`: a guest counts tokens. The answers depend on the arguments only, so a snapshot may hold them.

use crate::bindings::gristmill::stage::tokens::{Error, Host};
use crate::state::CallState;

/// Maximum length of a text, in bytes: counting it does not yield to other calls.
const MOST_TEXT: usize = 1 << 20;

impl Host for CallState {
    fn count(&mut self, encoding: String, text: String) -> wasmtime::Result<Result<u32, Error>> {
        let tokens = &self.surroundings.tokens;
        Ok(self.short(&text).and_then(|()| {
            let count = tokens.count(&encoding, &text).ok_or_else(|| self.unknown())?;
            Ok(narrow(count))
        }))
    }

    fn start(&mut self, encoding: String, text: String, limit: u32) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.ends(&encoding, &text).map(|ends| {
            let start = match (limit as usize).checked_sub(1) {
                Some(last) => ends.get(last).copied().unwrap_or(text.len()),
                None => 0,
            };
            narrow(text.floor_char_boundary(start))
        }))
    }

    fn end(&mut self, encoding: String, text: String, limit: u32) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.ends(&encoding, &text).map(|ends| {
            let left = ends.len().saturating_sub(limit as usize);
            let end = left.checked_sub(1).and_then(|before| ends.get(before).copied()).unwrap_or(0);
            narrow(text.ceil_char_boundary(end))
        }))
    }
}

impl CallState {
    fn ends(&self, encoding: &str, text: &str) -> Result<Vec<usize>, Error> {
        self.short(text)?;
        self.surroundings.tokens.ends(encoding, text).ok_or_else(|| self.unknown())
    }

    fn short(&self, text: &str) -> Result<(), Error> {
        if text.len() > MOST_TEXT { Err(Error::TooLong(MOST_TEXT as u64)) } else { Ok(()) }
    }

    fn unknown(&self) -> Error {
        let known = self.surroundings.tokens.encodings();
        Error::UnknownEncoding(known.iter().map(|&name| name.to_owned()).collect())
    }
}

/// No text has more bytes or tokens than fit.
fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
