//! Adapter: the HTTP API that accepts jobs and lets people and programs follow them.
//!
//! - [`ApiSettings`]: what the operator configures
//! - [`Desk`], [`Pipeline`], [`Parts`]: what it needs from the host
//! - [`Server`]: the server
//! - [`Problem`], [`Kind`]: its errors, as RFC 9457 has them
//! - [`JobView`]: a job, as clients read it
//! - [`openapi`]: its documentation

mod accept;
mod access;
mod acts;
mod api;
mod audit;
mod batches;
mod bulk;
mod cors;
mod desk;
mod detail;
mod document;
mod draft;
mod events;
mod follow;
mod forms;
mod intake;
mod jobs;
mod listing;
mod lookout;
mod problem;
mod query;
mod results;
mod routes;
mod server;
mod settings;
mod submit;
mod text;
mod tls;
mod turns;
mod view;

pub use api::{CheckWebhook, Parts};
pub use audit::AuditError;
pub use desk::{Desk, Pipeline, StageLabel};
pub use problem::{Kind, Problem};
pub use routes::openapi;
pub use server::{BindError, Server};
pub use settings::{ApiSettings, CorsOrigin, TlsSettings};
pub use tls::TlsError;
pub use view::{CostView, ErrorView, ItemsView, JobView, StageView, TokensView};
