//! Nothing inside is reached, however its address is written and whatever leads there.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::world::{Names, call, calls, calls_with, canary, denied, here, request, serve};

#[tokio::test]
async fn no_form_of_an_address_leads_inside() {
    let (address, heard) = canary("127.0.0.1:0").await.unwrap();
    let six = canary("[::1]:0").await;
    let port = address.port();
    let port_six = six.as_ref().map_or(port, |(address, _)| address.port());
    let names = Names::of(&[
        ("loopback.example", &[&["127.0.0.1"]]),
        ("six.example", &[&["::1"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1"]]),
        ("nat64.example", &[&["64:ff9b::7f00:1"]]),
        ("any.example", &[&["0.0.0.0"]]),
        ("metadata.example", &[&["169.254.169.254"]]),
        ("private.example", &[&["10.0.0.1"]]),
        ("multicast.example", &[&["224.0.0.1"]]),
        // One good address does not help the bad one.
        ("both.example", &[&["8.8.8.8", "127.0.0.1"]]),
    ]);
    let hosts = [
        "loopback.example",
        "six.example",
        "mapped.example",
        "nat64.example",
        "any.example",
        "metadata.example",
        "private.example",
        "multicast.example",
        "both.example",
    ];
    let rules: Vec<_> = hosts.iter().map(|host| format!("\"http://{host}:{port}/*\"")).collect();
    let grant = format!("http = [{}]", rules.join(", "));
    let calls = calls_with(&grant, names, None).unwrap();
    for host in hosts {
        let reason = denied(&calls, &request("GET", &format!("http://{host}:{port}/x"))).await;
        assert!(reason.contains("not public") && reason.contains("allow_private"), "{host}: {reason}");
    }
    // Numbers are refused when the grant is read, in every spelling.
    for number in [
        "127.0.0.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let port = if number.contains("::1]") { port_six } else { port };
        let grant = format!("http = [\"http://{number}:{port}/*\"]");
        let refused = calls_with(&grant, here(), None).err().unwrap().to_string();
        assert!(refused.contains("not public"), "{number}: {refused}");
        // And nothing that is granted leads to one.
        let reason = denied(&calls, &request("GET", &format!("http://{number}:{port}/x"))).await;
        assert!(reason.contains("not in the grant"), "{number}: {reason}");
    }
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    assert!(six.is_none_or(|(_, heard)| heard.load(Ordering::SeqCst) == 0));
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_is_compared_again() {
    let (address, heard) = canary("127.0.0.1:0").await.unwrap();
    let port = address.port();
    // The first answer is public and leads nowhere, the second is the one that the trick is about.
    let names = Names::of(&[("rebound.example", &[&["192.0.2.1"], &["127.0.0.1"]])]);
    let grant = format!(
        "http = [\"http://rebound.example:{port}/*\"]\nallow_private = [\"192.0.2.0/24\"]\ntimeout = \"300ms\""
    );
    let calls = calls_with(&grant, names, None).unwrap();
    let url = format!("http://rebound.example:{port}/");
    assert!(call(&calls, &request("GET", &url)).await.is_err(), "nobody is at the first address");
    let reason = denied(&calls, &request("GET", &url)).await;
    assert!(reason.contains("not public"), "{reason}");
    assert_eq!(heard.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (inside, heard) = canary("127.0.0.2:0").await.unwrap();
    let to = move || async move { (StatusCode::FOUND, [("location", format!("http://{inside}/secret"))]) };
    let address = serve(Router::new().route("/", get(to))).await;
    let calls = calls(&format!("http = [\"http://here.example:{}/*\"]", address.port()));
    let answer = call(&calls, &request("GET", &format!("http://here.example:{}/", address.port()))).await.unwrap();
    assert_eq!(answer.response.status, 302);
    let location = &answer.response.headers.iter().find(|(name, _)| name == "location").unwrap().1;
    assert!(denied(&calls, &request("GET", location)).await.contains("not in the grant"), "the stage may not either");
    assert_eq!(heard.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn only_what_the_grant_names_is_called() {
    let address = serve(Router::new().fallback(|| async { "here" })).await;
    let port = address.port();
    let calls =
        calls(&format!("http = [\"http://here.example:{port}/v1/*\", \"POST http://here.example:{port}/v1/parts\"]"));
    let at = |path: &str| format!("http://here.example:{port}{path}");
    assert_eq!(call(&calls, &request("GET", &at("/v1/a?b=../c"))).await.unwrap().response.status, 200);
    assert_eq!(call(&calls, &request("POST", &at("/v1/parts"))).await.unwrap().response.status, 200);
    for (method, url, expected) in [
        ("POST", at("/v1/a"), "POST is not granted"),
        ("DELETE", at("/v1/parts"), "DELETE is not granted"),
        ("TRACE", at("/v1/parts"), "never allowed"),
        ("CONNECT", at("/v1/parts"), "never allowed"),
        ("get", at("/v1/parts"), "never allowed"),
        ("GET\r\nx: y", at("/v1/parts"), "never allowed"),
        ("GET", at("/v2/a"), "not in the grant"),
        ("GET", at("/v1/../v2/a"), "not in the grant"),
        ("GET", at("/v1/%2e%2e/v2/a"), "not in the grant"),
        ("GET", at("/v1"), "not in the grant"),
        ("GET", format!("http://other.example:{port}/v1/a"), "not in the grant"),
        ("GET", format!("https://here.example:{port}/v1/a"), "not in the grant"),
        ("GET", "http://here.example/v1/a".to_owned(), "not in the grant"),
        ("GET", format!("http://here.example.evil.test:{port}/v1/a"), "not in the grant"),
    ] {
        let reason = denied(&calls, &request(method, &url)).await;
        assert!(reason.contains(expected) && !reason.contains('\n'), "{method} {url}: {reason}");
    }
}
