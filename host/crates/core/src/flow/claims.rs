//! Whether an event is that of the job it names.

use super::error::FlowError;
use super::names;
use super::patience::until_it_answers;
use super::pipeline::{Pipeline, Recording};
use super::replay::{Origin, Via, text};
use super::throttle::Throttle;
use crate::model::{Claim, Claimed, Event, EventDigest, JobId, PayloadText, Plan, Run, Stamp};

/// The code of an event whose job has another one.
const REPEATED: &str = "repeated-submission";
/// The code of an event whose job was over before it began.
const OVER: &str = "already-over";

/// What an event is.
pub(super) enum Arrived {
    /// That of a job, which runs.
    Job(Origin),
    /// Nothing is to be done, for the reason with this code.
    Nothing(Origin, &'static str),
}

/// What an event is. One that names a job is that job's if the record of the job proves it. Otherwise it is one of its own, or
/// replays a dead letter. Asks until the store and the dead letters can be read; no new jobs start during the waits.
/// Cancel-safe.
pub(super) async fn find(
    event: &Event,
    pipeline: &Pipeline,
    throttle: &Throttle,
    plan: &Plan,
) -> Result<Arrived, FlowError> {
    match (text(&event.headers, names::SUBMITTED), &pipeline.recording) {
        // Boxed because it is rare: the future of each job is as large as what it may ever await.
        (Some(named), Some(recording)) => Box::pin(claim(named, recording, event, pipeline, throttle, plan)).await,
        _ => Ok(Arrived::Job(Origin::find(event, pipeline, throttle, plan).await)),
    }
}

async fn claim(
    named: &str,
    recording: &Recording,
    event: &Event,
    pipeline: &Pipeline,
    throttle: &Throttle,
    plan: &Plan,
) -> Result<Arrived, FlowError> {
    let own = Origin::new(event, &pipeline.name);
    let Some((job, run)) = read(named) else {
        tracing::warn!(event = %event.id, "the header {} cannot be read; the event is one of its own", names::SUBMITTED);
        return Ok(Arrived::Job(own));
    };
    let payload = match text(&event.headers, names::PAYLOAD) {
        Some(reference) => PayloadText::Reference(reference),
        None => PayloadText::Inline(event.payload.as_deref().unwrap_or_default()),
    };
    let event_digest = EventDigest::of(event.key.as_deref(), payload);
    let at = (pipeline.clock)();
    let claim = Claim { job, run, place: event.id.clone(), event: event_digest, at };
    let claimed = until_it_answers(&claim.job, throttle, || recording.jobs.claim(&claim)).await?;
    Ok(match claimed {
        Claimed::Granted { first, from_stage } => {
            let first = first.unwrap_or_else(|| Stamp { place: event.id.clone(), time: event.timestamp });
            Arrived::Job(Origin::granted(claim.job, run, first, from_stage.as_deref(), plan))
        }
        Claimed::Over => Arrived::Nothing(own, OVER),
        Claimed::Repeat => Arrived::Nothing(own, REPEATED),
        Claimed::Unknown => {
            // Also where several pipelines read one topic: the job is one of theirs.
            tracing::debug!(event = %event.id, job = %claim.job, "names a job that is not its own, and is a new event therefore");
            Arrived::Job(own)
        }
    })
}

/// The job and its run, in our own spelling.
fn read(named: &str) -> Option<(JobId, Run)> {
    let (job, run) = named.split_once(';')?;
    let number = run.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == run)?;
    Some((JobId::read(job)?, Run(number)))
}

impl Origin {
    /// The job that the API has submitted.
    fn granted(job: JobId, run: Run, first: Stamp, from_stage: Option<&str>, plan: &Plan) -> Self {
        Self {
            job,
            via: Via::Api,
            first,
            replays: run.0.saturating_sub(1),
            anew_from: from_stage.and_then(|stage| plan.nodes.iter().position(|node| *node.name == *stage)),
            first_attempt: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_its_run_are_read_in_our_own_spelling_only() {
        let job = JobId::submitted(1, &[0; 10]);
        assert_eq!(read(&format!("{job};2")), Some((job.clone(), Run(2))));
        for wrong in
            ["", ";", "x;1", &format!("{job}"), &format!("{job};0"), &format!("{job};02"), &format!("{job};+2")]
        {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
