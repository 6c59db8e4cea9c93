//! Why a host is not ready, as it is told.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a host is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The pipeline. Absent if it is the host as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pipeline: Option<String>,
    /// A stable name.
    pub code: Code,
    /// For people.
    pub message: String,
}

/// The stable names of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No pipeline runs yet.
    Starting,
    /// The process was asked to stop.
    Stopping,
    /// The pipeline has stopped by itself.
    Stopped,
    /// It is being drained or started again.
    Restarting,
    /// Its main loop does not answer, or its source does not turn.
    Stuck,
    /// It has joined its group, and no assignment has arrived yet.
    NoAssignment,
    /// It takes no events, and that lasts.
    Paused,
    /// Its broker cannot be reached.
    BrokerLost,
    /// Its state store does not answer.
    StoreFailing,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Restarting => "restarting",
            Self::Stuck => "stuck",
            Self::NoAssignment => "no_assignment",
            Self::Paused => "paused",
            Self::BrokerLost => "broker_lost",
            Self::StoreFailing => "store_failing",
        })
    }
}
