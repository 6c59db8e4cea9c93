//! Adapter: tells others that a job has ended, by HTTP, signed after Standard Webhooks.
//!
//! - [`WebhookSettings`]: what the operator configures

mod settings;

pub use settings::{Network, WebhookSettings};
