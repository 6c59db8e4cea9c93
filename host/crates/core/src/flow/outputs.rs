//! The outputs of a job, as its record has them.

use sha2::{Digest, Sha256};

use super::names;
use super::pipeline::Pipeline;
use super::replay::Via;
use super::settings::Results;
use crate::model::{Finished, KeptOutput, MOST_OUTPUTS, OutputRecord};

/// So many bytes of outputs are kept in a record, all together.
const MOST_INLINE: usize = 1 << 20;

/// Whether the bytes of a job's outputs are kept for whoever asks for its result.
pub(super) fn are_kept(pipeline: &Pipeline, via: Via) -> bool {
    via == Via::Api && pipeline.recording.as_ref().is_some_and(|recording| recording.results == Results::Keep)
}

/// The first outputs, with the bytes of small ones if they are kept. Large ones become objects later.
pub(super) fn describe(pipeline: &Pipeline, via: Via, ends: &[Finished]) -> Vec<OutputRecord> {
    let is_kept = are_kept(pipeline, via);
    let largest = pipeline.offload.as_ref().map_or(MOST_INLINE, |offload| offload.inline_max);
    let mut left = MOST_INLINE;
    let describe = |end: &Finished| {
        let payload = &end.item.payload;
        let kept = is_kept && payload.len() <= left.min(largest);
        if kept {
            left -= payload.len();
        }
        OutputRecord {
            topic: end.topic.as_ref().unwrap_or(&pipeline.output_topic).to_string(),
            item: end.item.id.clone(),
            content_type: content_type(end),
            sha256: Sha256::digest(payload).into(),
            size: u64::try_from(payload.len()).unwrap_or(u64::MAX),
            kept: kept.then(|| KeptOutput::Inline(payload.clone())),
        }
    };
    ends.iter().take(MOST_OUTPUTS).map(describe).collect()
}

fn content_type(end: &Finished) -> Option<String> {
    let of_header = || {
        let mut named = end.item.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(names::CONTENT_TYPE));
        named.find_map(|header| String::from_utf8(header.value.as_deref()?.to_vec()).ok())
    };
    end.item.content_type.clone().or_else(of_header)
}
