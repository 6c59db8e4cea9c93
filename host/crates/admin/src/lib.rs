//! Adapter: answers HTTP about a host, and passes commands to it.
//!
//! - [`Control`]: what it needs from the host
//! - [`HostView`] and what it is made of: what it tells, for programs that read it
//! - [`readiness`]: whether a host is ready
//! - [`Server`]: the server

mod access;
mod control;
mod problem;
mod ready;
mod reason;
mod routes;
mod server;
mod settings;
mod view;

pub use control::{Command, Control, Done, Outcome, Refused, Tapped, TappedItem};
pub use ready::{LONG_PAUSE_SECONDS, readiness};
pub use reason::{Code, Reason};
pub use server::{BindError, Server};
pub use settings::{Admin, AdminSettings, DEFAULT, Tap};
pub use view::{
    BrokerView, HostView, InFlight, LimitView, ModelView, PartitionView, PauseKind, PauseView, Phase, PipelineList,
    PipelineState, PipelineView, Recent, SandboxView, StageView, StoreView, TargetState, TargetView, Totals,
};
