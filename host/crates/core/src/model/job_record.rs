//! What is stored of a job, and the rule by which it changes. Every store follows it, so that two hosts that write about one
//! job, one of them late, cannot make a reader see it run backwards.

use super::caller::Owner;
use super::document::Stamp;
use super::event::Timestamp;
use super::failure::Failure;
use super::header::Attribute;
use super::ids::{EventId, JobId};
use super::item_id::ItemId;
use super::spent::Spent;
use super::standing::{Ended, Percent, Phase, Run, StageAt, Standing};
use super::stored::StoredPayload;
use super::submission::{BatchId, Claim, Claimed, EventDigest, Submission};

/// How many outputs are stored of a job; of the others only their number.
pub const MOST_OUTPUTS: usize = 100;
/// Of how many different events of earlier runs is known that they were its events.
const MOST_EVENTS: usize = 100;
/// How many entries of its history are stored of a run; later ones are counted only.
pub const MOST_MOMENTS: usize = 1_000;

/// Why a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// For what, for people: the text of the pause, or "retry of stage enrich".
    pub why: String,
    /// Until when, if that is known.
    pub until: Option<Timestamp>,
}

/// One output of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRecord {
    /// The topic it is in.
    pub topic: String,
    /// Its item.
    pub item: ItemId,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
    /// Where its bytes can be read; `None` if they were not kept.
    pub kept: Option<KeptOutput>,
}

/// The bytes of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptOutput {
    /// In the record.
    Inline(bytes::Bytes),
    /// In an object.
    Object(StoredPayload),
}

/// Something that happened in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When it was over.
    pub at: Timestamp,
    /// The run.
    pub run: Run,
    /// The stage.
    pub stage: String,
    /// The item.
    pub item: ItemId,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What it was.
    pub what: MomentKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MomentKind {
    /// An attempt of a stage: the number, and why it failed if it did.
    Attempt(u32, Option<Failure>),
    /// A stage was not run, because its outcome was kept.
    Restored,
    /// A call of a model: the alias, the target, what it took.
    ModelCall(String, String, Spent),
}

/// Everything that is stored of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its id.
    pub job: JobId,
    /// To whom it belongs; `None` if its event came without the API, or where there are no tokens.
    pub owner: Option<Owner>,
    /// The batch it is one of.
    pub batch: Option<BatchId>,
    /// What the client calls it.
    pub attributes: Vec<Attribute>,
    /// Whom to tell of its end.
    pub webhook: Option<String>,
    /// When it was first heard of.
    pub created: Timestamp,
    /// When this record last changed.
    pub updated: Timestamp,
    /// How often it changed: 1 at first. Readers compare it instead of the whole.
    pub version: u64,
    /// The run that was last asked for.
    pub run: Run,
    /// What the event of that run must be. `None` if the run was not asked for: the event came without the API.
    pub event: Option<EventDigest>,
    /// What the events of earlier runs were, where they were others: the newest last. One of them may come again.
    pub earlier_events: Vec<EventDigest>,
    /// The first stage that the run repeats.
    pub from_stage: Option<String>,
    /// Where the event of the run is, once a host has taken it.
    pub place: Option<EventId>,
    /// Where the event of the last run before it is that a host has taken.
    pub earlier_place: Option<EventId>,
    /// Where and when the event of the first run was.
    pub first: Option<Stamp>,
    /// How far the run is.
    pub standing: Standing,
    /// How it is over, if it is.
    pub ended: Option<Ended>,
    /// Whether somebody asked to cancel the run.
    pub cancel: bool,
    /// The rest, which the host that runs it tells anew each time.
    pub told: Told,
}

/// What the host that runs a job tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The stage it is at.
    pub stage: Option<StageAt>,
    /// Why it waits, if it does.
    pub waiting: Option<Waiting>,
    /// How many attempts of stages failed or succeeded in this run.
    pub attempts: u32,
    /// Why an attempt last failed; at the end, why the job did.
    pub last_error: Option<Failure>,
    /// Why it was filtered out, if it was.
    pub dropped: Option<String>,
    /// What its calls of models took, earlier runs included.
    pub spent: Spent,
    /// How many outputs it has.
    pub outputs: u32,
    /// The first of them.
    pub first_outputs: Vec<OutputRecord>,
}

/// What a host notes of a job that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNote {
    /// The job.
    pub job: JobId,
    /// Its run.
    pub run: Run,
    /// Where its event is.
    pub place: EventId,
    /// Where and when the event of the first run was.
    pub first: Stamp,
    /// How far it is.
    pub standing: Standing,
    /// How it is over, in the phases settling and ended.
    pub ended: Option<Ended>,
    /// The rest.
    pub told: Told,
    /// What has happened since the last note: added to the history, not merged.
    pub moments: Vec<Moment>,
    /// When.
    pub at: Timestamp,
}

/// What somebody asks of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// End it without outputs, if it has not ended.
    Cancel,
    /// Run it again, if it has ended.
    Retry {
        /// The first stage to repeat; `None` begins with the one that failed.
        from_stage: Option<String>,
        /// What the event of the new run will be.
        event: EventDigest,
    },
}

/// What became of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// It is written down: the job is in this run now.
    Done(Run),
    /// There is no such job.
    Unknown,
    /// The job is not in a phase for that: over already, or not over yet.
    Conflict(Phase),
}

impl JobRecord {
    /// The record of a submission.
    #[must_use]
    pub fn of(submission: Submission) -> Self {
        let Submission { job, owner, batch, once: _, event, attributes, webhook, at } = submission;
        Self { owner, batch, attributes, webhook, event: Some(event), ..Self::blank(job, at) }
    }

    /// The record of an event that came without the API, by the first note of its job.
    #[must_use]
    pub fn heard(note: &JobNote) -> Self {
        Self { run: note.run, ..Self::blank(note.job.clone(), note.at) }
    }

    fn blank(job: JobId, at: Timestamp) -> Self {
        Self {
            job,
            owner: None,
            batch: None,
            attributes: Vec::new(),
            webhook: None,
            created: at,
            updated: at,
            version: 1,
            run: Run::FIRST,
            event: None,
            earlier_events: Vec::new(),
            from_stage: None,
            place: None,
            earlier_place: None,
            first: None,
            standing: Standing::at(Phase::Accepted),
            ended: None,
            cancel: false,
            told: Told::default(),
        }
    }

    /// The broker has acknowledged the event of this run.
    pub fn published(&mut self, run: Run, at: Timestamp) {
        let queued = Standing::at(Phase::Queued);
        if run == self.run && self.standing < queued {
            self.standing = queued;
            self.changed(at);
        }
    }

    /// Whether an event is that of the job; it is the only one from then on.
    pub fn claim(&mut self, claim: &Claim) -> Claimed {
        if claim.run < self.run && self.is_of_a_run_before(claim) {
            return Claimed::Repeat;
        }
        if claim.run != self.run || self.event != Some(claim.event) {
            return Claimed::Unknown;
        }
        match &self.place {
            Some(place) if *place != claim.place => return Claimed::Repeat,
            Some(_) if self.standing.phase == Phase::Ended => return Claimed::Over,
            Some(_) => {}
            None => {
                self.place = Some(claim.place.clone());
                self.standing = self.standing.max(Standing::at(Phase::Running));
                self.changed(claim.at);
            }
        }
        if self.cancel {
            // Before its first stage, or by a host that has died since.
            self.standing = self.standing.max(Standing::at(Phase::Ended));
            self.ended = Some(Ended::Cancelled);
            self.changed(claim.at);
            return Claimed::Over;
        }
        Claimed::Granted { first: self.first.clone(), from_stage: self.from_stage.clone() }
    }

    /// A host that died may not have settled the event of a run that ended, or it was published twice: it comes again after
    /// a retry. What an event was that came without the API is not known, but the first one is known by its place.
    fn is_of_a_run_before(&self, claim: &Claim) -> bool {
        let is_first = || self.first.as_ref().is_some_and(|first| first.place == claim.place);
        self.is_event(&claim.event) || is_first()
    }

    /// Whether this is what the event of the run is, or that of a run before.
    #[must_use]
    pub fn is_event(&self, event: &EventDigest) -> bool {
        self.event == Some(*event) || self.earlier_events.contains(event)
    }

    /// Whether the event of a retry may not have been published.
    #[must_use]
    pub fn is_unpublished_retry(&self) -> bool {
        self.run > Run::FIRST && self.standing.phase == Phase::Accepted
    }

    /// Takes a note. One of an earlier run, or after the end, changes nothing; how far the job is only grows, and everything
    /// else is as the note has it. Returns whether the job is over with this note.
    pub fn apply(&mut self, note: &JobNote) -> bool {
        if note.run < self.run || (note.run == self.run && self.standing.phase == Phase::Ended) {
            return false;
        }
        if note.run > self.run {
            // A replay of a dead letter by the command line begins a run that nobody wrote down.
            self.begin(note.run, None, None);
        }
        self.place = Some(note.place.clone());
        self.first.get_or_insert_with(|| note.first.clone());
        let before = std::mem::replace(&mut self.told, note.told.clone());
        if note.standing < self.standing {
            // A host that took over is not yet as far; nor has it asked the models again.
            self.told.stage = before.stage;
        }
        if self.told.spent.calls < before.spent.calls {
            self.told.spent = before.spent;
        }
        self.standing = self.standing.max(note.standing);
        self.ended = note.ended;
        self.changed(note.at);
        let is_over = self.standing.phase == Phase::Ended;
        if is_over {
            self.finish();
        }
        is_over
    }

    /// The transaction of its event is known to be committed: what is settling is over. Returns whether it was.
    pub fn settled(&mut self, at: Timestamp) -> bool {
        let is_settling = self.standing.phase == Phase::Settling;
        if is_settling {
            self.standing = Standing { phase: Phase::Ended, ..self.standing };
            self.finish();
            self.changed(at);
        }
        is_settling
    }

    fn finish(&mut self) {
        if self.ended == Some(Ended::Completed) {
            self.standing.percent = Percent::ALL;
        }
    }

    /// Does what is asked, or says why not. A cancelled job that a host runs ends by that host's note; one that no host has
    /// taken ends when its event comes.
    pub fn act(&mut self, act: &Act, at: Timestamp) -> Acted {
        let is_over = self.standing.phase == Phase::Ended;
        match act {
            Act::Cancel if is_over => return Acted::Conflict(self.standing.phase),
            Act::Cancel => self.cancel = true,
            // The same again: its event may not have been published.
            Act::Retry { from_stage, event }
                if self.is_unpublished_retry() && self.event == Some(*event) && self.from_stage == *from_stage =>
            {
                return Acted::Done(self.run);
            }
            // Another one takes its place: if its event comes after all, it is one of a run before.
            Act::Retry { .. } if !is_over && !self.is_unpublished_retry() => {
                return Acted::Conflict(self.standing.phase);
            }
            Act::Retry { from_stage, event } => self.begin(self.run.next(), Some(*event), from_stage.clone()),
        }
        self.changed(at);
        Acted::Done(self.run)
    }

    fn begin(&mut self, run: Run, event: Option<EventDigest>, from_stage: Option<String>) {
        self.run = run;
        if let Some(earlier) = std::mem::replace(&mut self.event, event).filter(|earlier| !self.is_event(earlier)) {
            if self.earlier_events.len() >= MOST_EVENTS {
                self.earlier_events.remove(0);
            }
            self.earlier_events.push(earlier);
        }
        self.from_stage = from_stage;
        self.earlier_place = self.place.take().or(self.earlier_place.take());
        self.standing = Standing::at(Phase::Accepted);
        self.ended = None;
        self.cancel = false;
        // What it has cost stays known.
        self.told = Told { spent: self.told.spent, ..Told::default() };
    }

    fn changed(&mut self, at: Timestamp) {
        self.version += 1;
        // The clocks of hosts differ.
        self.updated = self.updated.max(at);
    }
}

#[cfg(test)]
mod tests;
