//! What is asked of records and deliveries, and what became of it.

use std::time::Duration;

use gristmill_core::model::{
    Act, Acted, Claim, Claimed, JobId, JobNote, JobRecord, KeptOutput, Partition, Position, Run, Submission, Submitted,
    Timestamp,
};
use gristmill_core::ports::{Delivery, Tried};

/// The approximate size of a record and its rows, besides what makes it large, in bytes.
const RECORD_BYTES: usize = 1_024;
/// The approximate size of something that happened.
const MOMENT_BYTES: usize = 256;

/// A change of records.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Claim(Claim),
    Note(Vec<JobNote>),
    /// Ends what is settling in the partition before the position.
    Settled(Partition, Position, Timestamp),
    Ask(JobId, Act, Timestamp),
    Submit(Vec<Submission>),
    Published(Vec<(JobId, Run)>, Timestamp),
}

/// A change of deliveries.
#[derive(Debug, Clone)]
pub(crate) enum DeliveryChange {
    Due { now: Timestamp, lease: Duration, most: u32 },
    Tried { job: JobId, run: Run, tried: Tried, next: Option<Timestamp> },
    Again { job: JobId, now: Timestamp },
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Done {
    /// It is made, and there is nothing to say.
    Made,
    Claimed(Claimed),
    Acted(Acted),
    Submitted(Vec<Submitted>),
    Due(Vec<(Delivery, JobRecord)>),
    Again(bool),
}

impl Change {
    /// The jobs that it names. Those that are settling and those of keys come on top.
    pub(crate) fn jobs(&self) -> Vec<&JobId> {
        match self {
            Self::Claim(claim) => vec![&claim.job],
            Self::Note(notes) => notes.iter().map(|note| &note.job).collect(),
            Self::Settled(..) => Vec::new(),
            Self::Ask(job, ..) => vec![job],
            Self::Submit(submissions) => submissions.iter().map(|submission| &submission.job).collect(),
            Self::Published(jobs, _) => jobs.iter().map(|(job, _)| job).collect(),
        }
    }

    /// The keys by which it may be recognised.
    pub(crate) fn keys(&self) -> Vec<[u8; 32]> {
        let Self::Submit(submissions) = self else { return Vec::new() };
        let key = |submission: &Submission| {
            submission.once.as_ref().map(|once| super::once(submission.owner.as_ref(), &once.key))
        };
        submissions.iter().filter_map(key).collect()
    }

    /// Its approximate size, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Claim(_) | Self::Ask(..) | Self::Settled(..) => RECORD_BYTES,
            Self::Note(notes) => notes.iter().map(note_weight).sum(),
            Self::Submit(submissions) => submissions.len() * RECORD_BYTES,
            Self::Published(jobs, _) => jobs.len() * RECORD_BYTES,
        }
    }
}

fn note_weight(note: &JobNote) -> usize {
    let outputs = note.told.first_outputs.iter().map(|output| match &output.kept {
        Some(KeptOutput::Inline(bytes)) => bytes.len() + MOMENT_BYTES,
        Some(KeptOutput::Object(_)) | None => MOMENT_BYTES,
    });
    RECORD_BYTES + note.moments.len() * MOMENT_BYTES + outputs.sum::<usize>()
}
