//! Adapter: the HTTP API that accepts jobs and lets people and programs follow them.
//!
//! - [`ApiSettings`]: what the operator configures
//! - [`Desk`], [`Pipeline`]: what it needs from the host
//! - [`Problem`], [`Kind`]: its errors, as RFC 9457 has them

mod desk;
mod problem;
mod settings;

pub use desk::{Desk, Pipeline, StageLabel};
pub use problem::{Kind, Problem};
pub use settings::{ApiSettings, CorsOrigin, TlsSettings};
