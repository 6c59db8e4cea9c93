//! A client of the API that waits for nothing without a deadline.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// The timeout of every wait; enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(90);
/// How long to wait before asking again.
const AGAIN: Duration = Duration::from_millis(50);

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body, which has to be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Fails if the status is another one.
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

/// A client of one host.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// Of the API at this address: `http://127.0.0.1:1234`.
    pub(crate) fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST).build().unwrap();
        Self { http, base: base.to_owned(), token: None }
    }

    /// The same with a token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Where the API is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request for what is not here, to be sent with [`Client::send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and reads the whole answer; an error if nobody answers.
    pub(crate) async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }

    /// The same of a host that has to answer.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(Method::POST, path).header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Submits a document, which has to be accepted. Returns the job's id.
    pub(crate) async fn submit(&self, pipeline: &str, content_type: &str, body: impl Into<reqwest::Body>) -> String {
        let answer = self.post(&format!("/v1/pipelines/{pipeline}/jobs"), content_type, body).await.is(202);
        let job = answer.json()["job_id"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("location"), path_of(&job));
        job
    }

    /// A job that is there.
    pub(crate) async fn job(&self, id: &str) -> Value {
        self.get(&path_of(id)).await.is(200).json()
    }

    /// Waits until a job is as it should be; fails with how it is.
    pub(crate) async fn until(&self, id: &str, what: &str, reached: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let job = self.job(id).await;
            if reached(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}; the job is {job:#}");
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Waits until a job is over.
    pub(crate) async fn until_over(&self, id: &str) -> Value {
        let is_over = |job: &Value| ["completed", "failed", "cancelled"].contains(&job["status"].as_str().unwrap());
        self.until(id, "the job is over", is_over).await
    }
}

/// The path of a job: the ids of events have slashes.
pub(crate) fn path_of(id: &str) -> String {
    format!("/v1/jobs/{}", id.replace('%', "%25").replace('/', "%2F"))
}
