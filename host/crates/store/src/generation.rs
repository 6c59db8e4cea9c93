//! The encoding of what documents have left in the sink.

use bytes::Buf;

use gristmill_core::model::{
    DocumentGeneration, DocumentId, EventId, ItemId, Partition, Position, RecordGeneration, Stamp, Timestamp,
};

/// The length of an encoded generation.
pub(super) const BYTES: usize = 24;

/// A generation as stores compare it: byte by byte.
pub(super) fn blob(generation: DocumentGeneration) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&generation.milliseconds.to_be_bytes());
    bytes[8..].copy_from_slice(&generation.sequence.to_be_bytes());
    bytes
}

fn generation(mut bytes: &[u8]) -> Option<DocumentGeneration> {
    Some(DocumentGeneration {
        milliseconds: bytes.try_get_u64().ok()?,
        sequence: bytes.try_get_u128().ok().filter(|_| bytes.is_empty())?,
    })
}

/// The generation first, so that stores can compare it.
pub(super) fn encode(given: &RecordGeneration) -> Vec<u8> {
    let RecordGeneration { generation, record: Stamp { place: EventId { partition, position }, time } } = given;
    let mut bytes = blob(*generation).to_vec();
    bytes.extend(u64::from(partition.index).to_be_bytes());
    bytes.extend(position.0.to_be_bytes());
    bytes.extend(time.0.to_be_bytes());
    bytes.extend(partition.topic.as_bytes());
    bytes
}

/// `None` if another version wrote it.
pub(super) fn decode(bytes: &[u8]) -> Option<RecordGeneration> {
    let (first, mut rest) = bytes.split_at_checked(BYTES)?;
    let index = u32::try_from(rest.try_get_u64().ok()?).ok()?;
    let position = Position(rest.try_get_u128().ok()?);
    let time = Timestamp(rest.try_get_i64().ok()?);
    let topic = std::str::from_utf8(rest).ok()?.into();
    let place = EventId { partition: Partition { topic, index }, position };
    Some(RecordGeneration { generation: generation(first)?, record: Stamp { place, time } })
}

/// The part of an item's id after that of its document, which is the same for all of them.
pub(super) fn suffix<'a>(document: &DocumentId, item: &'a ItemId) -> &'a str {
    item.as_str().strip_prefix(document.as_str()).unwrap_or(item.as_str())
}
