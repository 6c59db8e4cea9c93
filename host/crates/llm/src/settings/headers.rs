//! Headers that the operator adds to each request of a target.

pub use gristmill_core::settings::{HeaderText, Headers};

pub(super) use gristmill_core::settings::headers as schema;
