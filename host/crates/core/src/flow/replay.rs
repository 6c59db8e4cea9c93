//! What a replayed event says about the job it continues.

use super::names;
use crate::model::{Event, JobId, Plan, Stamp, Timestamp};
use crate::ports::Edition;

/// Where a job comes from: a new event or a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The id of the job: derived from the event, or that of the job it continues.
    pub(super) job: JobId,
    /// Where and when its event was first.
    pub(super) first: Stamp,
    /// How often the job was replayed from the dead letters.
    pub(super) replays: u32,
    /// The first stage to run again. `None` reuses everything that was kept.
    anew_from: Option<usize>,
    /// When the job was first tried, in milliseconds since the Unix epoch. `None` if it is new or that is unknown.
    pub(super) first_attempt: Option<i64>,
}

impl Origin {
    /// Reads the origin from the headers of the event. An event that is not a replay of this pipeline starts a new job.
    pub(super) fn of(event: &Event, pipeline: &str, plan: &Plan) -> Self {
        let text = |name: &str| {
            let header = event.headers.iter().find(|header| header.name == name)?;
            std::str::from_utf8(header.value.as_deref()?).ok()
        };
        let Some((job, place)) = text(names::REPLAY_OF).and_then(|id| JobId::replayed(pipeline, id)) else {
            let first = Stamp { place: event.id.clone(), time: event.timestamp };
            let job = JobId::new(pipeline, &event.id);
            return Self { job, first, replays: 0, anew_from: None, first_attempt: None };
        };
        let time = text(names::SOURCE_TIME).and_then(|time| time.parse().ok());
        let stage = text(names::FROM_STAGE);
        Self {
            job,
            first: Stamp { place, time: time.map_or(event.timestamp, Timestamp) },
            replays: text(names::REPLAYS).and_then(|count| count.parse().ok()).unwrap_or(1),
            anew_from: stage.and_then(|stage| plan.nodes.iter().position(|node| &*node.name == stage)),
            first_attempt: text(names::FIRST_ATTEMPT).and_then(|time| time.parse().ok()),
        }
    }

    /// The edition of the job in which a stage runs.
    pub(super) fn edition(&self, stage: usize) -> Edition {
        match self.anew_from {
            Some(first) if stage >= first => Edition(self.replays),
            _ => Edition(0),
        }
    }
}
