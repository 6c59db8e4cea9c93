//! Secrets arrive where they are meant to, and nowhere else.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use gristmill_core::model::{HttpFailure, HttpRequest};
use gristmill_outbound::{Calls, HttpGrant, Parts};
use tempfile::TempDir;

use crate::world::{call, calls_with, here, request, serve};

const CANARY: &str = "canary-9f8e7d";

/// Repeats the header that it got, in a header and in its body.
async fn echo(headers: HeaderMap) -> (StatusCode, [(&'static str, String); 2], String) {
    let got = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (StatusCode::UNAUTHORIZED, [("x-echo", got.clone()), ("set-cookie", got.clone())], format!("<{got}>"))
}

fn granting(folder: &TempDir, port: u16) -> Calls {
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    let grant = format!(
        "http = [\"http://here.example:{port}/*\", \"http://other.example:{port}/*\"]\nallow_private = [\"127.0.0.0/8\"]\n\
         [secrets.token]\nfrom = {{ file = {file:?} }}\nhosts = [\"here.example\"]"
    );
    calls_with(&grant, here(), None).unwrap()
}

#[tokio::test]
async fn a_secret_arrives_at_its_host_and_does_not_come_back() {
    let port = serve(Router::new().fallback(echo)).await.port();
    let folder = tempfile::tempdir().unwrap();
    let calls = granting(&folder, port);
    let headers = vec![("Authorization".into(), "Bearer {{secret.token}}".into())];
    let sent = HttpRequest { headers, ..request("GET", &format!("http://here.example:{port}/")) };
    let answer = call(&calls, &sent).await.unwrap().response;
    // That it is a placeholder again, and not gone, shows that the secret had arrived.
    assert_eq!((answer.status, &answer.body[..]), (401, &b"<Bearer {{secret.token}}>"[..]));
    assert!(answer.headers.contains(&("x-echo".into(), "Bearer {{secret.token}}".into())), "{answer:?}");
    assert!(!format!("{answer:?}").contains("canary") && !format!("{answer:?}").contains("set-cookie"));
}

#[tokio::test]
async fn a_secret_goes_to_no_other_host_and_into_nothing_but_headers() {
    let port = serve(Router::new().fallback(echo)).await.port();
    let folder = tempfile::tempdir().unwrap();
    let calls = granting(&folder, port);
    let bearing = |host: &str, value: &str| HttpRequest {
        headers: vec![("Authorization".into(), value.into())],
        ..request("GET", &format!("http://{host}:{port}/"))
    };
    match call(&calls, &bearing("other.example", "{{secret.token}}")).await {
        Err(HttpFailure::Denied(reason)) => assert_eq!(reason, "the secret token is not for other.example"),
        other => panic!("{other:?}"),
    }
    match call(&calls, &bearing("here.example", "{{secret.tokens}}")).await {
        Err(HttpFailure::Denied(reason)) => assert!(reason.contains("it has: token"), "{reason}"),
        other => panic!("{other:?}"),
    }
    match call(&calls, &bearing("here.example", "{{secret.token}}\r\nx: y")).await {
        Err(HttpFailure::InvalidRequest(reason)) => assert!(!reason.contains("canary"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_grant_whose_secrets_cannot_be_used_is_refused_without_showing_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    for (content, hosts, expected) in [
        (CANARY, "elsewhere.example", "no address of http is at elsewhere.example"),
        ("canary", "here.example", "at least 8 characters"),
        ("canary\u{1}canary", "here.example", "does not hold a secret"),
    ] {
        std::fs::write(&file, content).unwrap();
        let grant = format!(
            "http = [\"https://here.example/*\"]\n[secrets.token]\nfrom = {{ file = {file:?} }}\nhosts = [\"{hosts}\"]"
        );
        let grant: HttpGrant = toml::from_str(&grant).unwrap();
        let refused = Calls::new(&grant, Parts { lookup: here(), store: None }).err().unwrap();
        let said = format!("{refused} {refused:?}");
        assert!(said.contains(expected) && said.contains("token") && !said.contains("canary"), "{said}");
    }
}
