//! The bodies of requests as they come: bounded in size, and by progress instead of by time.

use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt, unfold};
use gristmill_core::model::{ObjectName, StoredPayload};
use gristmill_core::ports::{ObjectError, Objects};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::desk::Pipeline;
use super::problem::{Kind, Problem};

/// How long a body may take before its pace is looked at.
const HEAD_START: Duration = Duration::from_secs(10);
/// The least pace after that, in bytes a second: slow clients pass, those that only pretend do not.
const PACE: u64 = 1 << 10;
/// The longest time without a byte.
const STILL: Duration = Duration::from_secs(30);
/// How many pieces of a body wait for the object store.
const AHEAD: usize = 2;

/// A body that has arrived as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// In memory.
    Inline(Bytes),
    /// In an object.
    Stored(StoredPayload),
}

impl Payload {
    /// The SHA-256 of its bytes.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Inline(bytes) => Sha256::digest(bytes).into(),
            Self::Stored(stored) => stored.sha256,
        }
    }
}

/// Refuses a body by the length that its request names, before any of it is read.
pub(crate) fn check_length(headers: &HeaderMap, most: u64) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > most => Err(too_large(most)),
        _ => Ok(()),
    }
}

/// A body's bytes; an error where it grows beyond `most` bytes or comes too slowly.
pub(crate) fn paced(body: Body, most: u64) -> impl Stream<Item = Result<Bytes, Problem>> + Send + Unpin + 'static {
    let begun = Instant::now();
    let state = Some((body.into_data_stream(), 0_u64));
    Box::pin(unfold(state, move |state| async move {
        let (mut stream, mut read) = state?;
        let owed = begun + HEAD_START + Duration::from_millis(read.saturating_mul(1_000) / PACE);
        let chunk = match timeout_at(owed.min(Instant::now() + STILL), stream.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => return Some((Err(broken(&error)), None)),
            Ok(None) => return None,
            Err(_) => {
                let detail = "the body comes too slowly: at least 1 KiB/s after 10 s, and no 30 s without a byte";
                return Some((Err(Problem::new(Kind::Timeout, detail)), None));
            }
        };
        read += chunk.len() as u64;
        match read <= most {
            true => Some((Ok(chunk), Some((stream, read)))),
            false => Some((Err(too_large(most)), None)),
        }
    }))
}

/// Refuses a body that is not JSON by its media type.
pub(crate) fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    match kind.trim().eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Problem::new(Kind::UnsupportedMediaType, "send application/json")),
    }
}

/// A body of JSON, which is an object.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let parsed = serde_json::from_slice(body);
    parsed.map(|Object(parsed)| parsed).map_err(|error| Problem::new(Kind::BadRequest, format!("the body: {error}")))
}

/// A JSON object. By itself a struct is a list of its members in order, too: `["cancel", ["p"]]`.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// All bytes of a small body.
pub(crate) async fn all(body: Body, most: u64) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    let mut chunks = paced(body, most);
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}

/// Takes a body in: into memory up to the pipeline's `inline_max`, into an object of this name if it is larger. Constant
/// memory.
pub(crate) async fn take<S>(
    chunks: &mut S,
    pipeline: &Pipeline,
    name: ObjectName,
    most: u64,
) -> Result<Payload, Problem>
where
    S: Stream<Item = Result<Bytes, Problem>> + Send + Unpin,
{
    let inline_max = pipeline.inline_max.get();
    let mut head = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        head.extend_from_slice(&chunk?);
        if head.len() as u64 > inline_max {
            let Some(objects) = &pipeline.objects else { return Err(too_large(inline_max)) };
            return store(head.freeze(), chunks, objects, name, most).await.map(Payload::Stored);
        }
    }
    Ok(Payload::Inline(head.freeze()))
}

async fn store<S>(
    head: Bytes,
    chunks: &mut S,
    objects: &Arc<dyn Objects>,
    name: ObjectName,
    most: u64,
) -> Result<StoredPayload, Problem>
where
    S: Stream<Item = Result<Bytes, Problem>> + Send + Unpin,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let received = unfold(receiver, async |mut receiver: mpsc::Receiver<io::Result<Bytes>>| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let pump = async move {
        let mut next = Some(Ok(head));
        while let Some(chunk) = next {
            // Somebody who no longer takes any says why below.
            if sender.send(chunk.map_err(io::Error::other)).await.is_err() {
                return;
            }
            next = chunks.next().await;
        }
    };
    let put = objects.put(name, received.boxed(), most);
    tokio::pin!(pump);
    tokio::pin!(put);
    let stored = tokio::select! {
        // The object store may give up long before the client does.
        biased;
        stored = &mut put => stored,
        () = &mut pump => put.await,
    };
    stored.map_err(of_objects)
}

/// What an object store's error means to a client.
pub(crate) fn of_objects(error: ObjectError) -> Problem {
    match error {
        ObjectError::Source(source) => match source.downcast::<Problem>() {
            Ok(problem) => problem,
            Err(error) => broken(&error),
        },
        ObjectError::TooLarge { most } => too_large(most),
        ObjectError::Missing { .. } => Problem::new(Kind::Gone, "its bytes are deleted: objects.keep is over"),
        ObjectError::Transient { .. } => {
            tracing::warn!(%error, "a request of the API needs the object store");
            Problem::new(Kind::StoreUnavailable, "the object store does not answer for now; ask again").retry_after(5)
        }
        ObjectError::Other { .. } | ObjectError::Refused { .. } => {
            tracing::error!(%error, "the object store fails the API");
            Problem::new(Kind::Internal, "the object store does not do its work; the log of the host has the reason")
        }
    }
}

/// A body that broke off, or whose own error is inside.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> Problem {
    let mut inner = Some(error);
    while let Some(error) = inner {
        if let Some(problem) = error.downcast_ref::<Problem>() {
            return problem.clone();
        }
        inner = error.source();
    }
    Problem::new(Kind::BadRequest, "the body broke off or is not what its headers say")
}

pub(crate) fn too_large(most: u64) -> Problem {
    Problem::new(Kind::BodyTooLarge, format!("the body is larger than {most} bytes"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    fn body(chunks: Vec<(u64, usize)>) -> Body {
        Body::from_stream(stream::unfold(chunks.into_iter(), async |mut chunks| {
            let (milliseconds, bytes) = chunks.next()?;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Some((Ok::<_, Infallible>(vec![b'a'; bytes]), chunks))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_passes_and_one_that_stands_still_does_not() {
        let steady = (0..120).map(|_| (1_000, 1_100)).collect();
        assert_eq!(all(body(steady), 1 << 20).await.unwrap().len(), 132_000);
        let begun = Instant::now();
        let trickling = (0..120).map(|_| (1_000, 1)).collect();
        assert_eq!(all(body(trickling), 1 << 20).await.unwrap_err().kind, Kind::Timeout);
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
        // Much at once is no leave to stop for minutes.
        let still = vec![(0, 1 << 20), (31_000, 1)];
        assert_eq!(all(body(still), 2 << 20).await.unwrap_err().kind, Kind::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_grows_is_cut() {
        let growing = (0..1_000_000).map(|_| (0, 1_024)).collect();
        assert_eq!(all(body(growing), 10_000).await.unwrap_err().kind, Kind::BodyTooLarge);
        assert_eq!(all(body(vec![(0, 10_000)]), 10_000).await.unwrap().len(), 10_000);
        let headers = [(header::CONTENT_LENGTH, "10001".parse().unwrap())].into_iter().collect();
        assert!(check_length(&headers, 10_000).is_err() && check_length(&headers, 10_001).is_ok());
    }
}
