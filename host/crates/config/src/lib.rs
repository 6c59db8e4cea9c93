//! Floor 2. Configuration files: read, checked against the schema of the type that they hold, and their faults shown at
//! their places.
//!
//! A file is TOML. Everything wrong with it is reported together, each fault with its line and how to fix it. No key is
//! known here: the [`schema`] of the type says what is allowed, in the words of JSON Schema and the extension keywords
//! of [`gristmill_core::settings`]. Nothing is read but the file itself: secrets stay references, and what other files
//! hold is checked by those who open them, with [`Checked::place`] to point at.

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
