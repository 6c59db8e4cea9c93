//! Adapter: who may ask the HTTP API, by JSON Web Tokens.
//!
//! - [`AuthSettings`]: what the operator configures

mod settings;

pub use settings::{AuthSettings, KeysSettings};
