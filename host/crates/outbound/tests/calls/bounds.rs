//! Answers that are too large, too slow, or something else than they say.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use gristmill_core::model::{Blame, HttpFailure};
use gristmill_core::ports::{Outbound, OutboundError};
use tokio::io::AsyncWriteExt;

use crate::world::{Names, call, caller_of, calls, calls_with, raw, request, says};

/// Far above the time that any test here takes, and far below what would fill the memory.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn ten_gigabytes_are_not_read() {
    // One server says how much it will be, the other does not, and both go on as long as they are let.
    for head in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n"[..],
        &b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"[..],
    ] {
        let wrote = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&wrote);
        let (address, _) = raw(move |mut stream| {
            let count = Arc::clone(&count);
            async move {
                let piece = vec![b'x'; 64 << 10];
                if stream.write_all(head).await.is_err() {
                    return;
                }
                while stream.write_all(&piece).await.is_ok() {
                    count.fetch_add(piece.len() as u64, Ordering::SeqCst);
                }
            }
        })
        .await;
        let port = address.port();
        let calls =
            calls(&format!("http = [\"http://here.example:{port}/\"]\nmax_response = \"1MiB\"\ntimeout = \"1m\""));
        let failed = call(&calls, &request("GET", &format!("http://here.example:{port}/"))).await;
        assert_eq!(failed.err(), Some(HttpFailure::TooLarge(1 << 20)));
        // What is on its way in the buffers of the system was never here.
        assert!(wrote.load(Ordering::SeqCst) < 64 << 20, "{wrote:?}");
    }
}

#[tokio::test]
async fn a_slow_drip_ends_with_its_time() {
    // A byte now and then, of the head by one server and of the body by the other: each alone is in time.
    for head in [&b"HTTP/1.1 200 OK\r\nx: "[..], &b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"[..]] {
        let (address, _) = raw(move |mut stream| async move {
            let _ = stream.write_all(head).await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let port = address.port();
        let calls = calls(&format!("http = [\"http://here.example:{port}/\"]\ntimeout = \"300ms\""));
        let begun = Instant::now();
        let failed = call(&calls, &request("GET", &format!("http://here.example:{port}/"))).await;
        assert!(matches!(failed, Err(HttpFailure::Timeout(_))), "{failed:?}");
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn what_is_compressed_stays_so() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 64 << 20]).unwrap();
    let packed: &'static [u8] = packed.finish().unwrap().leak();
    let length = packed.len();
    let (address, _) = raw(move |mut stream| async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(packed).await;
    })
    .await;
    let port = address.port();
    let calls = calls(&format!("http = [\"http://here.example:{port}/\"]"));
    let answer = call(&calls, &request("GET", &format!("http://here.example:{port}/"))).await.unwrap();
    assert_eq!(answer.response.body.len(), length, "as on the wire, not 64 MiB");
    assert!(answer.response.headers.contains(&("content-encoding".into(), "gzip".into())), "the stage can tell");
}

#[tokio::test]
async fn answers_that_are_none_are_failures_of_the_connection() {
    for bytes in [
        &b""[..],
        &b"hello\r\n\r\n"[..],
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"[..],
        &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"[..],
        &b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"[..],
    ] {
        let (address, _) = says(bytes).await;
        let port = address.port();
        let calls = calls(&format!("http = [\"http://here.example:{port}/\"]"));
        let failed = call(&calls, &request("GET", &format!("http://here.example:{port}/"))).await;
        let Err(HttpFailure::Unavailable(reason)) = failed else {
            panic!("{:?} was taken: {failed:?}", String::from_utf8_lossy(bytes));
        };
        assert!(!reason.contains("here.example") && !reason.contains("hello"), "{reason}");
    }
}

#[tokio::test]
async fn a_service_that_nobody_reaches_is_at_fault_and_one_that_answers_others_is_not() {
    let (address, _) = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let (fine, _) = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let (down, up) = (address.port(), fine.port());
    let grant = format!(
        "http = [\"http://here.example:{down}/\", \"http://here.example:{up}/\", \"http://gone.example:{up}/\", \
         \"http://here.example:1/\"]\nallow_private = [\"127.0.0.0/8\"]"
    );
    let names = Names::of(&[("here.example", &[&["127.0.0.1"]])]);
    let calls = calls_with(&grant, names, None).unwrap();
    let blame = async |position: u128, url: String| match calls.call(&caller_of(position), &request("GET", &url)).await
    {
        Ok(answered) => answered.blame,
        Err(OutboundError::Http { blame, .. }) => blame,
        Err(OutboundError::Store(error)) => panic!("{error}"),
    };
    assert_eq!(blame(1, format!("http://here.example:{down}/")).await, Some(Blame::Dependency), "it answers nobody");
    assert_eq!(blame(1, format!("http://here.example:{up}/")).await, None);
    assert_eq!(blame(1, format!("http://gone.example:{up}/")).await, Some(Blame::Dependency), "no such name");
    assert_eq!(blame(1, "http://here.example:1/".into()).await, Some(Blame::Dependency), "nobody listens");
    assert_eq!(blame(2, format!("http://here.example:{up}/")).await, None);
}
