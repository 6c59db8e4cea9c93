//! Floor 2. Reads configuration files, checks them against the schema of their type, and shows each fault at its place.
//!
//! A file is TOML. All its faults are reported together, each with its line and how to fix it. No key is known here:
//! the [`schema`] of the type says what is allowed, in JSON Schema with the extension keywords of
//! [`gristmill_core::settings`]. Only the file itself is read: secrets stay references, and other files are checked by
//! the code that opens them, which reports faults at a [`Checked::place`].

mod check;
mod document;
mod draft;
mod error;
mod json;
mod schema;
mod secrets;
mod suggest;
#[cfg(test)]
mod tests;
mod words;

pub use document::Place;
pub use draft::{Checked, Draft, load, parse, read};
pub use error::{ConfigError, Fault, Style};
pub use schema::{BadSchema, schema};
pub use suggest::nearest;
