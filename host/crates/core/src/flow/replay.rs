//! Whether an event replays a dead letter, and what it continues then.

use super::names::{self, is_ours};
use super::patience::Patience;
use super::pipeline::Pipeline;
use super::throttle::Throttle;
use crate::model::{Event, EventId, Header, JobId, Plan, Provenance, Run, Stamp, Timestamp};
use crate::ports::{Edition, PauseReason};

/// Where a job comes from: a new event or a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The id of the job: derived from the event, or that of the job it continues.
    pub(super) job: JobId,
    /// How the job came.
    pub(super) via: Via,
    /// Where and when its event was first.
    pub(super) first: Stamp,
    /// How often the job was replayed from the dead letters.
    pub(super) replays: u32,
    /// The first stage to run again. `None` reuses everything that was kept.
    pub(super) anew_from: Option<usize>,
    /// When the job was first tried, in milliseconds since the Unix epoch. `None` if it is new or that is unknown.
    pub(super) first_attempt: Option<i64>,
}

/// How a job came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// As an event of the topic.
    Topic,
    /// By the API, which wrote its record first.
    Api,
}

impl Origin {
    /// The origin of an event. One that names a dead letter continues the job of that, if the dead letter proves it: anyone
    /// who can write to the topic can write the header. Without proof the event starts a job of its own. Asks until the
    /// dead letters can be read; no new jobs start during the waits. Cancel-safe.
    pub(super) async fn find(event: &Event, pipeline: &Pipeline, throttle: &Throttle, plan: &Plan) -> Self {
        let new = Self::new(event, &pipeline.name);
        match text(&event.headers, names::REPLAY_OF) {
            None => new,
            // Boxed because it is rare: the future of each job is as large as what it may ever await.
            Some(named) => Box::pin(Self::look_up(named, new, event, pipeline, throttle, plan)).await,
        }
    }

    async fn look_up(
        named: &str,
        new: Self,
        event: &Event,
        pipeline: &Pipeline,
        throttle: &Throttle,
        plan: &Plan,
    ) -> Self {
        let place: Option<EventId> = named.parse().ok();
        // Only our own dead letters prove anything: others can be written by others.
        let place = place.filter(|place| *place.partition.topic == *pipeline.dead_letter.topic);
        let proven = match place {
            Some(place) => {
                let mut patience = Patience::default();
                let letter = loop {
                    match pipeline.letters.find(&place).await {
                        Ok(letter) => break letter,
                        Err(error) => patience.wait(throttle, PauseReason::DeadLetters(error.to_string())).await,
                    };
                };
                letter.and_then(|letter| Self::proven(event, &letter, &pipeline.name, plan))
            }
            None => None,
        };
        proven.unwrap_or_else(|| {
            tracing::warn!(event = %event.id, "names a dead letter that is not its own, and is a new event therefore");
            new
        })
    }

    /// A new job.
    pub(super) fn new(event: &Event, pipeline: &str) -> Self {
        Self {
            job: JobId::new(pipeline, &event.id),
            via: Via::Topic,
            first: Stamp { place: event.id.clone(), time: event.timestamp },
            replays: 0,
            anew_from: None,
            first_attempt: None,
        }
    }

    /// The job that the event continues, if this is the dead letter of a job of this pipeline with the same key, payload
    /// and headers. What is known of that job is read from the dead letter, not from the event.
    fn proven(event: &Event, letter: &Event, pipeline: &str, plan: &Plan) -> Option<Self> {
        let own = |event: &Event| event.headers.iter().filter(|header| !is_ours(header)).cloned().collect::<Vec<_>>();
        let told = |name: &str| text(&letter.headers, name);
        let is_same_payload =
            event.payload == letter.payload && text(&event.headers, names::PAYLOAD) == told(names::PAYLOAD);
        if event.key != letter.key || !is_same_payload || own(event) != own(letter) {
            return None;
        }
        told(names::FAILURE_REASON)?;
        let named = told(names::JOB_ID)?;
        let (job, place, via) = match JobId::replayed(pipeline, named) {
            Some((job, place)) => (job, place, Via::Topic),
            // The id of a submitted job does not name the pipeline.
            None => (JobId::read(named)?, JobId::replayed(pipeline, told(names::FIRST_PLACE)?)?.1, Via::Api),
        };
        let time = told(names::SOURCE_TIME).and_then(|time| time.parse().ok());
        let stage = text(&event.headers, names::FROM_STAGE);
        let before: u32 = told(names::REPLAYS).and_then(|count| count.parse().ok()).unwrap_or_default();
        Some(Self {
            job,
            via,
            first: Stamp { place, time: time.map_or(letter.timestamp, Timestamp) },
            replays: before.saturating_add(1),
            anew_from: stage.and_then(|stage| plan.nodes.iter().position(|node| &*node.name == stage)),
            first_attempt: told(names::FIRST_ATTEMPT).and_then(|time| time.parse().ok()),
        })
    }

    /// Whether the event names a job or a dead letter that it may belong to.
    pub(super) fn is_named(event: &Event) -> bool {
        event.headers.iter().any(|header| header.name == names::SUBMITTED || header.name == names::REPLAY_OF)
    }

    /// The job that the event names, whether it may or not: enough to give all runs of a job to one version. `None` if it
    /// names none, or it replays a dead letter and does not say of which job.
    pub(super) fn named_job(event: &Event) -> Option<&str> {
        let submitted = text(&event.headers, names::SUBMITTED).map(|named| named.split(';').next().unwrap_or(named));
        submitted.or_else(|| {
            text(&event.headers, names::REPLAY_OF)?;
            text(&event.headers, names::JOB_ID)
        })
    }

    /// The run of the job.
    pub(super) fn run(&self) -> Run {
        Run(self.replays.saturating_add(1))
    }

    /// Where the event comes from.
    pub(super) fn provenance(&self) -> Provenance {
        if self.replays == 0 { Provenance::Topic } else { Provenance::DeadLetter }
    }

    /// The edition of the job in which a stage runs.
    pub(super) fn edition(&self, stage: usize) -> Edition {
        match self.anew_from {
            Some(first) if stage >= first => Edition(self.replays),
            _ => Edition(0),
        }
    }
}

/// The last header of this name, as text.
pub(super) fn text<'h>(headers: &'h [Header], name: &str) -> Option<&'h str> {
    let header = headers.iter().rev().find(|header| header.name == name)?;
    std::str::from_utf8(header.value.as_deref()?).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::Generation;

    const LETTER: [(&str, &str); 6] = [
        ("mine", "x"),
        ("failure_reason", "trap"),
        ("gristmill-job-id", "p/in/0/4"),
        ("gristmill-source-time", "70"),
        ("gristmill-first-attempt", "80"),
        ("gristmill-replays", "2"),
    ];
    const REPLAY: [(&str, &str); 4] = [
        ("mine", "x"),
        ("gristmill-replay-of", "dead/0/7"),
        ("gristmill-from-stage", "b"),
        // What the event says of itself does not count.
        ("gristmill-replays", "90"),
    ];

    fn event(id: &str, headers: &[(&str, &str)]) -> Event {
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).to_owned().into(),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        };
        Event {
            id: id.parse().unwrap(),
            generation: Generation::default(),
            key: Some(Bytes::from_static(b"k")),
            payload: Some(Bytes::from_static(b"v")),
            headers: headers.iter().map(header).collect(),
            timestamp: Timestamp(60),
            deliveries: None,
            fault: None,
        }
    }

    fn proven(event: &Event, letter: &Event) -> Option<Origin> {
        Origin::proven(event, letter, "p", &Plan::straight(&["a", "b"]))
    }

    #[test]
    fn a_replay_continues_the_job_that_its_dead_letter_tells_of() {
        let origin = proven(&event("in/0/9", &REPLAY), &event("dead/0/7", &LETTER)).unwrap();
        let first = Stamp { place: "in/0/4".parse().unwrap(), time: Timestamp(70) };
        assert_eq!((origin.job.as_str(), &origin.first), ("p/in/0/4", &first));
        assert_eq!((origin.replays, origin.first_attempt), (3, Some(80)));
        assert_eq!((origin.edition(0), origin.edition(1)), (Edition(0), Edition(3)));
    }

    #[test]
    fn the_job_that_was_submitted_is_continued_in_its_pipeline_only() {
        let job = JobId::submitted(1, &[0; 10]);
        let letter = |first| {
            let letter = [("mine", "x"), ("failure_reason", "trap"), ("gristmill-replays", "1")];
            event(
                "dead/0/7",
                &[&letter[..], &[("gristmill-job-id", job.as_str()), ("gristmill-first-place", first)]].concat(),
            )
        };
        let origin = proven(&event("in/0/9", &REPLAY), &letter("p/in/0/4")).unwrap();
        assert_eq!((origin.job.as_str(), origin.via, origin.run()), (job.as_str(), Via::Api, Run(3)));
        assert_eq!(origin.first.place.to_string(), "in/0/4");
        for other in ["q/in/0/4", "in/0/4", ""] {
            assert_eq!(proven(&event("in/0/9", &REPLAY), &letter(other)), None, "{other:?}");
        }
    }

    #[test]
    fn only_a_dead_letter_of_the_same_record_and_pipeline_proves_a_replay() {
        let (replay, letter) = (event("in/0/9", &REPLAY), event("dead/0/7", &LETTER));
        let without = |name: &str| LETTER.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
        let with = |name, value| [without(name), vec![(name, value)]].concat();
        let other = |headers: &[(&str, &str)]| event("dead/0/7", headers);
        for (what, letter) in [
            ("key", Event { key: None, ..letter.clone() }),
            ("payload", Event { payload: None, ..letter.clone() }),
            ("header", other(&with("mine", "y"))),
            ("another object", other(&[LETTER.to_vec(), vec![("gristmill-payload", "x")]].concat())),
            ("more headers", other(&without("mine"))),
            ("no dead letter", other(&without("failure_reason"))),
            ("no job", other(&without("gristmill-job-id"))),
            ("another pipeline", other(&with("gristmill-job-id", "q/in/0/4"))),
            ("no id", other(&with("gristmill-job-id", "p/in/0"))),
            ("another spelling", other(&with("gristmill-job-id", "p/in/00/4"))),
        ] {
            assert_eq!(proven(&replay, &letter), None, "{what}");
        }
    }
}
