//! Requests that say something else than they seem to.

use axum::Router;
use gristmill_core::model::{HttpFailure, HttpRequest};

use crate::world::{call, calls, request, says, serve};

async fn refused(headers: &[(&str, &str)], url: &str, port: u16) -> String {
    let calls = calls(&format!("http = [\"* http://here.example:{port}/*\"]\nmax_request = \"1KiB\""));
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = HttpRequest { headers, ..request("POST", url) };
    match call(&calls, &request).await {
        Err(HttpFailure::InvalidRequest(reason)) => reason,
        other => panic!("not refused: {other:?} for {request:?}"),
    }
}

#[tokio::test]
async fn no_header_frames_the_message_or_begins_another() {
    let (address, heads) = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = address.port();
    let url = format!("http://here.example:{port}/");
    for header in [
        ("x", "a\r\nhost: evil.test"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x\r\nhost", "evil.test"),
        ("x: y\r\nz", "a"),
        ("host", "evil.test"),
        ("Host", "evil.test"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "7"),
        ("Connection", "upgrade"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Proxy-Authorization", "x"),
        ("Expect", "100-continue"),
        ("", "x"),
    ] {
        let reason = refused(&[header], &url, port).await;
        assert!(!reason.contains(['\r', '\n']), "{reason:?}");
    }
    assert!(refused(&[("x", "y"); 65], &url, port).await.contains("more than 64 headers"));
    assert!(heads.lock().unwrap().is_empty(), "nothing was sent");
    // What is left arrives as it was meant, with one host and one length.
    let calls = calls(&format!("http = [\"* http://here.example:{port}/*\"]"));
    let headers = vec![("X-Own".into(), "a b".into()), ("Accept".into(), "text/plain".into())];
    let sent = HttpRequest { headers, body: "seven b".into(), ..request("POST", &url) };
    assert_eq!(call(&calls, &sent).await.unwrap().response.status, 200);
    let head = heads.lock().unwrap()[0].to_lowercase();
    assert!(head.starts_with("post / http/1.1\r\n"), "{head}");
    for (line, times) in [
        (format!("host: here.example:{port}"), 1),
        ("content-length: 7".into(), 1),
        ("x-own: a b".into(), 1),
        ("accept-encoding: identity".into(), 1),
        ("transfer-encoding".into(), 0),
    ] {
        assert_eq!(head.matches(&line).count(), times, "{line} in {head}");
    }
}

#[tokio::test]
async fn an_address_that_can_be_read_in_two_ways_is_not_sent() {
    let address = serve(Router::new().fallback(|| async { "here" })).await;
    let port = address.port();
    for (url, expected) in [
        (format!("http://user:password@here.example:{port}/"), "user name"),
        (format!("http://here.example:{port}@evil.test/"), "user name"),
        (format!("http://@here.example:{port}/"), "user name"),
        (format!("http://here.example:{port}/v1/..%2fadmin"), "several ways"),
        (format!("http://here.example:{port}/v1/%252e%252e%252fadmin"), "several ways"),
        (format!("http://here.example:{port}/v1/..%5cadmin"), "several ways"),
        (format!("http://here.example:{port}/v1/..;/admin"), "several ways"),
        (format!("http://here.example:{port}/a\r\nx: y"), "no URL"),
        (format!("http://here.example:{port}/a b"), "no URL"),
        (format!("http://here.example:{port}/#a"), "fragment"),
        (format!("http://here.example:{port}/?k={{{{secret.key}}}}"), "only put into headers"),
        ("file:///etc/passwd".into(), "https://"),
    ] {
        let reason = refused(&[], &url, port).await;
        assert!(reason.contains(expected), "{url}: {reason}");
    }
}

#[tokio::test]
async fn a_body_is_sent_up_to_its_bound() {
    let address = serve(Router::new().fallback(|body: axum::body::Bytes| async move { body.len().to_string() })).await;
    let url = format!("http://here.example:{}/", address.port());
    let calls = calls(&format!("http = [\"POST http://here.example:{}/\"]\nmax_request = \"1KiB\"", address.port()));
    let of = |bytes: usize| HttpRequest { body: vec![b'x'; bytes].into(), ..request("POST", &url) };
    assert_eq!(call(&calls, &of(1_024)).await.unwrap().response.body, "1024");
    match call(&calls, &of(1_025)).await {
        Err(HttpFailure::InvalidRequest(reason)) => assert!(reason.contains("1025 bytes"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
