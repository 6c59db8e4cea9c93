//! Adapter: answers HTTP about a host, and passes commands to it.
//!
//! - [`Control`] and [`Versions`]: what it needs from the host
//! - [`HostView`] and what it is made of: what it tells, for programs that read it
//! - [`readiness`]: whether a host is ready
//! - [`Server`]: the server

mod access;
mod control;
mod problem;
mod pushes;
mod ready;
mod reason;
mod routes;
mod server;
mod settings;
mod versions;
mod view;

pub use control::{Command, Control, Done, Outcome, Refused, Tapped, TappedItem};
pub use ready::{LONG_PAUSE_SECONDS, readiness};
pub use reason::{Code, Reason};
pub use server::{BindError, Server};
pub use settings::{Admin, AdminSettings, DEFAULT, Push, Tap};
pub use versions::{
    Activate, History, HistoryEntry, Pushed, StageVersions, Trial, VersionChange, VersionDone, VersionList,
    VersionState, VersionView, Versions,
};
pub use view::{
    BrokerView, CanaryView, HostView, InFlight, LimitView, LiveView, ModelView, PartitionView, PauseKind, PauseView,
    Phase, PipelineList, PipelineState, PipelineView, Recent, SandboxView, StageView, StoreView, TallyView,
    TargetState, TargetView, Totals, Warning,
};
