//! The API in front of the fake host, and what its answers have to be.

use std::sync::Arc;
use std::time::Duration;

use gristmill_api::{ApiSettings, Parts, Server};
use gristmill_core::model::{JobId, Timestamp, sha256};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::fake::Fake;

/// The timeout of every wait; enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A server in front of a host. It ends with this.
pub(crate) struct Served {
    pub(crate) fake: Fake,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) client: Client,
    _stop: DropGuard,
}

/// The time of the day.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

/// A server whose bodies may have 2 GiB.
pub(crate) async fn serve() -> Served {
    serve_with("").await
}

/// The same with more settings.
pub(crate) async fn serve_with(more: &str) -> Served {
    let text = format!("listen = \"127.0.0.1:0\"\nmax_body = \"2GiB\"\n{more}");
    let settings: ApiSettings = toml::from_str(&text).unwrap();
    let fake = Fake::default();
    let check = |url: &str| match url.starts_with("https://") {
        true => Ok(()),
        false => Err("webhooks are told by HTTPS".to_owned()),
    };
    let host = Arc::new(fake.clone());
    let parts = Parts { desk: Arc::<Fake>::clone(&host), admission: host, webhooks: Some(Arc::new(check)), clock: now };
    let server = Server::bind(&settings, parts).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    tokio::spawn(server.serve(stop.clone()));
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    Served { fake, address, client, _stop: stop.drop_guard() }
}

impl Served {
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.address))
    }

    /// Submits a body and returns its job.
    pub(crate) async fn submit(&self, body: &'static str) -> JobId {
        let accepted = self.post("/v1/pipelines/p/jobs").body(body).send().await.unwrap();
        let accepted = answer(accepted, 202).await;
        JobId::read(accepted["job_id"].as_str().unwrap()).unwrap()
    }
}

/// Checks an answer's status, and returns its JSON.
pub(crate) async fn answer(response: Response, status: u16) -> Value {
    let (found, body) = (response.status().as_u16(), response.bytes().await.unwrap());
    assert_eq!(found, status, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// Checks that an answer is a problem of this kind, and returns its detail.
pub(crate) async fn problem(response: Response, status: u16, kind: &str) -> String {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = answer(response, status).await;
    assert_eq!(body["type"], format!("urn:gristmill:problem:{kind}"), "{body}");
    assert!(!body.to_string().contains("canary"), "{body}");
    body["detail"].as_str().unwrap().to_owned()
}

/// Waits until a job's record is as it should be.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} has not happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    sha256(bytes)
}
