//! What a history is made of, and the log of its effects.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// One line of a history.
#[derive(Debug, Clone)]
pub(super) enum Moment {
    Assign(u32),
    Revoke(u32),
    /// The partition is already lost: nobody waits for its running jobs.
    Lose(u32),
    /// Partition, position, payload. Anything after an "@" is the key.
    Arrive(u32, u128, &'static str),
    /// Partition, first position, payloads: events that arrive together.
    ArriveTogether(u32, u128, &'static [&'static str]),
    /// The same, with headers as "name=value".
    Replay(u32, u128, &'static str, &'static [&'static str]),
    /// Nothing happens for this long.
    Wait(Duration),
    /// The operator pauses the pipeline, and resumes it after this long.
    PauseFor(Duration),
    /// The operator swaps in another deployment, whose stages append "v2" to what they emit.
    Swap,
    /// The operator puts that other deployment on trial, with such a share of the jobs; its end is logged. It takes over after
    /// so many of its jobs, if there is a number.
    Try(&'static str, Option<u64>),
    /// The operator makes the deployment on trial the one that serves, or ends the trial.
    Promote,
    Withdraw,
    /// The operator stops the pipeline.
    Stop,
    /// Somebody asks for the end of this job.
    Cancel(&'static str),
    /// The source reports how far behind the group is in a partition.
    Lag(u32, u64),
}

/// What happened, each line with its simulated second.
#[derive(Clone)]
pub(super) struct Effects {
    pub(super) begun: Instant,
    pub(super) lines: Arc<Mutex<Vec<String>>>,
}

impl Effects {
    pub(super) fn note(&self, what: impl std::fmt::Display) {
        self.lines.lock().unwrap().push(format!("{}s {what}", self.begun.elapsed().as_secs()));
    }
}
