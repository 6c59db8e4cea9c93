//! Tests with receivers that listen, and one that must never hear anything.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::http::{HeaderMap as Heads, StatusCode};
use axum::routing::post;
use gristmill_core::settings::Network;
use tokio::net::TcpListener;

use super::*;

/// Names, and where they lead the first time, the second time … and from the last time on.
#[derive(Default)]
struct Names(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    fn of(names: &[(&str, &[&[&str]])]) -> Arc<dyn Lookup> {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let names = names.iter().map(|(name, times)| ((*name).to_owned(), times.iter().map(|t| parse(t)).collect()));
        Arc::new(Self(Mutex::new(names.collect())))
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let times = names.get_mut(name).ok_or_else(|| io::Error::other("unknown"))?;
        Ok(if times.len() > 1 { times.remove(0) } else { times[0].clone() })
    }
}

fn client(allow: &[&str], names: &Arc<dyn Lookup>) -> Client {
    let allow: Vec<_> = allow.iter().map(|net| Network((*net).to_owned())).collect();
    Client::new(&Guard::new(&allow).unwrap(), Duration::from_secs(30), names).unwrap()
}

fn message() -> Message {
    Message { id: "job;1".into(), seconds: 7, signature: "v1,x".into(), body: b"{}".to_vec() }
}

async fn send(client: &Client, url: &str) -> Outcome {
    client.send(url, message(), Timestamp(0)).await
}

fn error(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { error, .. } | Outcome::Pointless(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Counts connections, and closes them.
async fn canary(address: &str) -> Option<(SocketAddr, Arc<AtomicUsize>)> {
    // There may be no IPv6 here.
    let listener = TcpListener::bind(address).await.ok()?;
    let address = listener.local_addr().ok()?;
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    Some((address, heard))
}

async fn receiver(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn no_form_of_an_address_leads_inside() {
    let (address, heard) = canary("127.0.0.1:0").await.unwrap();
    let six = canary("[::1]:0").await;
    let port = address.port();
    let port_six = six.as_ref().map_or(port, |(address, _)| address.port());
    let inside: &[(&str, &[&[&str]])] = &[
        ("inside.example", &[&["127.0.0.1"]]),
        ("six.example", &[&["::1"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1"]]),
        ("zero.example", &[&["0.0.0.0"]]),
        ("metadata.example", &[&["169.254.169.254"]]),
        ("nat64.example", &[&["64:ff9b::7f00:1"]]),
        ("mixed.example", &[&["8.8.8.8", "127.0.0.1"]]),
        ("localhost", &[&["127.0.0.1"]]),
        ("app.localhost", &[&["127.0.0.1"]]),
        ("localhost.", &[&["127.0.0.1"]]),
        ("127.0.0.1.nip.example", &[&["127.0.0.1"]]),
    ];
    // Another network is allowed: without one, no port but 443 is tried at all.
    let some = client(&["192.0.2.0/24"], &Names::of(inside));
    let none = client(&[], &Names::of(inside));
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.255.255.254",
        "0",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "1２7.0.0.1",
        "①27.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "10.0.0.1",
        "inside.example",
        "six.example",
        "mapped.example",
        "zero.example",
        "metadata.example",
        "nat64.example",
        "mixed.example",
        "localhost",
        "LOCALHOST",
        "app.localhost",
        "localhost.",
        "127.0.0.1.nip.example",
    ];
    let mut urls = Vec::new();
    for host in hosts {
        urls.extend([format!("http://{host}:{port}/"), format!("https://{host}:{port}/"), format!("https://{host}/")]);
    }
    for host in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::]"] {
        urls.extend([format!("http://{host}:{port_six}/"), format!("https://{host}/")]);
    }
    urls.extend([
        format!("https://hooks.example@127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}#@hooks.example/"),
        format!("https:\\\\127.0.0.1:{port}\\"),
        format!("http:127.0.0.1:{port}"),
        format!("HTTP://inside.example:{port}"),
        format!("gopher://127.0.0.1:{port}/"),
        format!("file://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}/"),
    ]);
    assert!(urls.len() >= 40);
    for url in &urls {
        for client in [&some, &none] {
            let error = error(send(client, url).await);
            let is_refused = ["the address is not told", "it leads to", "only https://"].iter();
            assert!(is_refused.clone().any(|start| error.starts_with(start)), "{url}: {error}");
        }
    }
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    assert_eq!(six.map_or(0, |(_, heard)| heard.load(Ordering::SeqCst)), 0);

    // And the canary hears: if it is allowed, there is a connection.
    let allowed = client(&["127.0.0.0/8"], &Names::of(inside));
    let url = format!("http://inside.example:{port}/");
    let broken = error(send(&allowed, &url).await);
    assert!(heard.load(Ordering::SeqCst) > 0, "{broken}");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_next_time_is_compared_again() {
    let (address, heard) = canary("127.0.0.1:0").await.unwrap();
    let names = Names::of(&[("rebound.example", &[&["192.0.2.1"], &["127.0.0.1"]])]);
    let client = client(&["192.0.2.0/24"], &names);
    let url = format!("http://rebound.example:{}/", address.port());
    // The first answer is allowed, and nobody is there.
    let first = tokio::time::timeout(Duration::from_millis(200), send(&client, &url)).await;
    assert!(!first.is_ok_and(|outcome| error(outcome).starts_with("only https://")));
    assert!(error(send(&client, &url).await).starts_with("only https://"));
    assert_eq!(heard.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (canary, heard) = canary("127.0.0.1:0").await.unwrap();
    let location = format!("http://{canary}/");
    let router =
        Router::new().route("/", post(|| async move { (StatusCode::TEMPORARY_REDIRECT, [("location", location)]) }));
    let address = receiver(router).await;
    let client = client(&["127.0.0.1/32"], &Names::of(&[]));
    let error = error(send(&client, &format!("http://{address}/")).await);
    assert_eq!(error, "it answers 307, and redirects are not followed");
    assert_eq!(heard.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_status_decides_and_the_receiver_may_ask_for_time() {
    let answer = |headers: Heads| async move {
        assert_eq!(headers["webhook-id"], "job;1");
        assert_eq!(headers["webhook-timestamp"], "7");
        assert_eq!(headers["webhook-signature"], "v1,x");
        assert_eq!(headers["content-type"], "application/json");
    };
    let busy = || async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "120")], "canary") };
    let router = Router::new()
        .route("/good", post(answer))
        .route("/gone", post(|| async { StatusCode::GONE }))
        .route("/busy", post(busy));
    let address = receiver(router).await;
    let client = client(&["127.0.0.1/32"], &Names::of(&[]));
    let at = |path: &str| format!("http://{address}{path}");
    assert_eq!(send(&client, &at("/good")).await, Outcome::Delivered(200));
    assert_eq!(send(&client, &at("/gone")).await, Outcome::Gone);
    let expected = Outcome::Failed {
        status: Some(503),
        retry_after: Some(Duration::from_secs(120)),
        error: "it answers 503".into(),
    };
    assert_eq!(send(&client, &at("/busy")).await, expected);
}

#[test]
fn a_wait_is_given_in_seconds_or_as_a_date() {
    let wait = |value: &str| retry_after(&[(RETRY_AFTER, value.parse().unwrap())].into_iter().collect(), Timestamp(0));
    assert_eq!(wait("7"), Some(Duration::from_secs(7)));
    assert_eq!(wait("Thu, 01 Jan 1970 00:01:00 GMT"), Some(Duration::from_secs(60)));
    assert_eq!(wait("soon"), None);
}
