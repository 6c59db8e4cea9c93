//! Bodies that come in parts, and end or do not.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use futures_util::stream;

use crate::answers::{Api, Fault};

/// The first events of an answer, each in a chunk of its own, and then a fault. `in_flight` lives as long as the body.
pub(super) fn cut(in_flight: impl Send + 'static, api: Api, text: &str, events: usize, fault: Fault) -> Response<Body> {
    let mut chunks: Vec<Bytes> = api.events(1, text).into_iter().take(events).map(Bytes::from).collect();
    match &fault {
        Fault::Error(error) => chunks.push(api.framed(error).into()),
        Fault::HalfAnEvent => {
            let event = api.events(1, text).swap_remove(1);
            chunks.push(event[..event.len() / 2].to_owned().into());
        }
        Fault::Bytes(bytes) => chunks.push(bytes.clone()),
        Fault::Hang | Fault::End | Fault::Break => {}
    }
    let body = stream::unfold((in_flight, chunks.into_iter()), move |(in_flight, mut chunks)| {
        let fault = fault.clone();
        async move {
            // A chunk of its own on the wire, and none that waits for the end.
            tokio::time::sleep(Duration::from_millis(2)).await;
            match (chunks.next(), fault) {
                (Some(chunk), _) => Some((Ok(chunk), (in_flight, chunks))),
                (None, Fault::Hang) => std::future::pending().await,
                (None, Fault::Break) => Some((Err("broken off"), (in_flight, chunks))),
                (None, Fault::End | Fault::Error(_) | Fault::HalfAnEvent | Fault::Bytes(_)) => None,
            }
        }
    });
    let response = Response::builder().header("content-type", api.content_type());
    response.body(Body::from_stream(body)).unwrap()
}

/// 200 with the same chunk this many times, each after a pause, then this end.
pub(super) fn streamed(
    in_flight: impl Send + 'static,
    pause: Duration,
    chunks: usize,
    chunk: Bytes,
    end: Result<(), &'static str>,
) -> Response<Body> {
    let body = stream::unfold((in_flight, 0), move |(in_flight, sent)| {
        let chunk = chunk.clone();
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if sent < chunks {
                return Some((Ok(chunk), (in_flight, sent + 1)));
            }
            // A stream is not polled again after an error.
            end.err().map(|reason| (Err(reason), (in_flight, sent)))
        }
    });
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from_stream(body)).unwrap()
}
