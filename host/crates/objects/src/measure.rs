//! Size and digest of bytes as they pass.

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use gristmill_core::model::{ObjectName, StoredPayload};
use gristmill_core::ports::{Chunks, ObjectError};
use sha2::{Digest, Sha256};

/// What has passed.
#[derive(Default)]
struct Measure {
    digest: Sha256,
    size: u64,
}

impl Measure {
    fn add(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    fn finish(self) -> ([u8; 32], u64) {
        (self.digest.finalize().into(), self.size)
    }
}

/// Bytes that are to be stored: no more than they may be.
pub(crate) struct Incoming {
    chunks: Chunks,
    measure: Measure,
    most: u64,
}

impl Incoming {
    pub(crate) fn new(chunks: Chunks, most: u64) -> Self {
        Self { chunks, measure: Measure::default(), most }
    }

    /// The next of them, `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let Some(chunk) = self.chunks.try_next().await.map_err(ObjectError::Source)? else { return Ok(None) };
        self.measure.add(&chunk);
        if self.measure.size > self.most {
            return Err(ObjectError::TooLarge { most: self.most });
        }
        Ok(Some(chunk))
    }

    /// What they were, as an object of this name.
    pub(crate) fn stored(self, name: ObjectName) -> StoredPayload {
        let (sha256, size) = self.measure.finish();
        StoredPayload { name, sha256, size }
    }
}

/// The same bytes; the last item is an error if they are not those of the reference.
pub(crate) fn verified<E>(bytes: BoxStream<'static, Result<Bytes, E>>, stored: &StoredPayload) -> Chunks
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    let begun = (bytes, Measure::default(), stored.clone());
    let checked = try_unfold(begun, async |(mut bytes, mut measure, stored)| {
        let next = bytes.try_next().await.map_err(std::io::Error::other)?;
        if let Some(chunk) = next {
            measure.add(&chunk);
            if measure.size > stored.size {
                return Err(other(&stored, "size"));
            }
            return Ok(Some((chunk, (bytes, measure, stored))));
        }
        let found = std::mem::take(&mut measure).finish();
        match found {
            (_, size) if size != stored.size => Err(other(&stored, "size")),
            (sha256, _) if sha256 != stored.sha256 => Err(other(&stored, "digest")),
            _ => Ok(None),
        }
    });
    checked.boxed()
}

fn other(stored: &StoredPayload, difference: &'static str) -> std::io::Error {
    let name = stored.name.as_str().to_owned();
    std::io::Error::new(std::io::ErrorKind::InvalidData, ObjectError::Other { name, difference })
}
