//! Adapter: tells others that a job has ended, by HTTP, signed after Standard Webhooks.
//!
//! - [`WebhookSettings`]: what the operator configures
//! - [`Guard`]: which addresses may be told
//! - [`Sender`]: sends what is due; [`Desk`] is what it needs from the host

mod client;
mod desk;
mod guard;
mod line;
mod message;
mod resolver;
mod schedule;
mod sender;
mod settings;
mod signature;

pub use desk::{Desk, Outgoing};
pub use guard::{BadAddress, Guard, Target};
pub use sender::{Sender, StartError};
pub use settings::WebhookSettings;
