//! Payloads that are kept as objects: read when a job starts, stored when it ends.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::names;
use super::patience::Patience;
use super::pipeline::Offload;
use super::replay::text;
use super::settings::Limits;
use super::throttle::Throttle;
use crate::model::{Event, Failed, Failure, FailureKind, ObjectName, StoredPayload};
use crate::ports::{Chunks, ObjectError, PauseReason};

/// The unit in which memory is counted, in bytes.
const UNIT: usize = 1 << 10;

/// The payloads that were read, within the bound of bytes in flight. An event with a reference counts as the few bytes that
/// it has, so this is in addition.
#[derive(Clone)]
pub(super) struct Payloads {
    offload: Option<Offload>,
    most: usize,
    all: u32,
    room: Arc<Semaphore>,
}

/// A payload that was read, until it is dropped.
pub(super) struct Read {
    pub(super) payload: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Payloads {
    pub(super) fn new(offload: Option<Offload>, limits: &Limits) -> Self {
        let all = units(limits.max_in_flight_bytes.as_usize());
        let room = Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { offload, most: limits.max_job_bytes.as_usize(), all, room }
    }

    /// Reads the payload that an event refers to. Asks until the store answers; no new jobs start during the waits.
    /// Cancel-safe.
    pub(super) async fn read(&self, reference: &str, throttle: &Throttle) -> Result<Read, Failed> {
        let bad = |why: String| fault("bad-payload", why);
        let stored: StoredPayload = reference
            .parse()
            .map_err(|()| bad(format!("the header {} is not NAME;sha256=HEX;size=BYTES", names::PAYLOAD)))?;
        let Some(offload) = &self.offload else {
            return Err(bad("the record refers to an object, and the pipeline has no object store (objects)".into()));
        };
        let size = usize::try_from(stored.size).unwrap_or(usize::MAX);
        if size > self.most {
            let why = format!("the payload has {size} bytes; at most {} are allowed (limits.max_job_bytes)", self.most);
            return Err(fault("job-too-large", why));
        }
        // It is never closed.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(units(size).min(self.all)).await else {
            return std::future::pending().await;
        };
        let mut patience = Patience::default();
        loop {
            let away = match collect(offload, &stored, size).await {
                Ok(payload) => return Ok(Read { payload, _room: room }),
                Err(gone @ ObjectError::Missing { .. }) => return Err(fault("payload-gone", gone.to_string())),
                Err(other @ ObjectError::Other { .. }) => return Err(bad(other.to_string())),
                // What it does not let us read today, it may tomorrow.
                Err(away) => away,
            };
            patience.wait(throttle, PauseReason::Objects(away.to_string())).await;
        }
    }
}

/// The header of an event that refers to its payload.
pub(super) fn reference(event: &Event) -> Option<&str> {
    text(&event.headers, names::PAYLOAD)
}

async fn collect(offload: &Offload, stored: &StoredPayload, size: usize) -> Result<Bytes, ObjectError> {
    let other = |difference| ObjectError::Other { name: stored.name.as_str().to_owned(), difference };
    let mut chunks = offload.objects.get(stored).await?;
    let mut payload = BytesMut::with_capacity(size);
    let mut digest = Sha256::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            // The store's word for a digest that differs; whoever is merely away has another one.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(other("digest")),
            Err(error) => return Err(ObjectError::Transient { reason: error.to_string() }),
        };
        if chunk.len() > size - payload.len() {
            return Err(other("size"));
        }
        digest.update(&chunk);
        payload.extend_from_slice(&chunk);
    }
    if payload.len() != size {
        return Err(other("size"));
    }
    match <[u8; 32]>::from(digest.finalize()) == stored.sha256 {
        true => Ok(payload.freeze()),
        false => Err(other("digest")),
    }
}

/// Stores an output of the run of a job. Asks until the store answers; no new jobs start during the waits.
pub(super) async fn store(offload: &Offload, throttle: &Throttle, name: ObjectName, payload: &Bytes) -> StoredPayload {
    let mut patience = Patience::default();
    loop {
        let whole = payload.clone();
        let chunks: Chunks = stream::once(async move { Ok(whole) }).boxed();
        match offload.objects.put(name.clone(), chunks, u64::MAX).await {
            Ok(stored) => return stored,
            Err(away) => patience.wait(throttle, PauseReason::Objects(away.to_string())).await,
        };
    }
}

fn fault(code: &str, why: String) -> Failed {
    Failed { failure: Failure::new(code, why), attempts: 0, kind: FailureKind::Fault }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}
