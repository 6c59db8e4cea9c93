//! Nobody keeps others out, and nothing grows with what is sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;

use crate::served::{PATIENCE, answer, serve};

/// A connection on which only this is sent, and what comes back until it is closed.
fn send(address: std::net::SocketAddr, begin: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(begin);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_arrive_in_time_is_given_up() {
    let served = serve().await;
    let address = served.address;
    let body = b"POST /v1/pipelines/p/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab";
    for (begin, expected) in [(&b"GET /livez HTTP/1.1\r\nhost: "[..], ""), (&body[..], "HTTP/1.1 408")] {
        let begun = Instant::now();
        let answer = tokio::task::spawn_blocking(move || send(address, begin)).await.unwrap();
        assert!(answer.starts_with(expected), "{answer}");
        assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
    }
    assert!(served.fake.state().jobs.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_above_16_kib_is_refused() {
    let served = serve().await;
    let address = served.address;
    let head = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(20 << 10));
    let answer = tokio::task::spawn_blocking(move || send(address, head.as_bytes())).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// The memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_is_taken_in_constant_memory() {
    let served = serve().await;
    let before = resident();
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let body = stream::iter((0..1024).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let post = served.post("/v1/pipelines/p/jobs").body(reqwest::Body::wrap_stream(body));
    answer(post.send().await.unwrap(), 202).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 << 10, "{grown} KiB more");
}
