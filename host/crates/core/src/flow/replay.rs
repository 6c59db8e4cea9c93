//! What a replayed event says of the job that it continues.

use super::names;
use crate::model::{Event, JobId, Plan};
use crate::ports::Edition;

/// How a job came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The job: that of the event, or the one that it continues.
    pub(super) job: JobId,
    /// How often it was replayed from the dead letters.
    pub(super) replays: u32,
    /// The first stage that is to be run anew; `None` uses everything that was kept.
    anew_from: Option<usize>,
    /// When it was first tried, in milliseconds since the Unix epoch, if it was before.
    pub(super) first_attempt: Option<i64>,
}

impl Origin {
    /// Reads it from the headers of the event. What is no replay of this pipeline begins a job of its own.
    pub(super) fn of(event: &Event, pipeline: &str, plan: &Plan) -> Self {
        let text = |name: &str| {
            let header = event.headers.iter().find(|header| header.name == name)?;
            std::str::from_utf8(header.value.as_deref()?).ok()
        };
        let Some(job) = text(names::REPLAY_OF).and_then(|id| JobId::replayed(pipeline, id)) else {
            return Self { job: JobId::new(pipeline, &event.id), replays: 0, anew_from: None, first_attempt: None };
        };
        let stage = text(names::FROM_STAGE);
        Self {
            job,
            replays: text(names::REPLAYS).and_then(|count| count.parse().ok()).unwrap_or(1),
            anew_from: stage.and_then(|stage| plan.nodes.iter().position(|node| &*node.name == stage)),
            first_attempt: text(names::FIRST_ATTEMPT).and_then(|time| time.parse().ok()),
        }
    }

    /// In which edition of the job a stage runs.
    pub(super) fn edition(&self, stage: usize) -> Edition {
        match self.anew_from {
            Some(first) if stage >= first => Edition(self.replays),
            _ => Edition(0),
        }
    }
}
