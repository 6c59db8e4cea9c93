//! Adapter: who may ask the HTTP API, by JSON Web Tokens.
//!
//! - [`AuthSettings`]: what the operator configures
//! - [`Tokens`]: lets in who has a good token
//! - [`Open`]: lets everybody in, where there is no `[auth]`

mod claims;
mod key;
mod open;
mod parsed;
mod published;
mod settings;
mod source;
mod strict;
mod tokens;

pub use open::Open;
pub use settings::{AuthSettings, KeysSettings};
pub use source::StartError;
pub use tokens::{Clock, Tokens};
