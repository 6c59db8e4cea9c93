//! The admin server of a host, as commands ask it (docs/admin-api.md).

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use gristmill_core::settings::SecretRef;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::Failure;

/// How long a connection, and the beginning of an answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a host may take for what was asked: modules arrive, are compiled and tried out.
const WORK: Duration = Duration::from_secs(600);
/// How much of an error is shown.
const SHOWN: usize = 2048;
/// The variable with the token.
const TOKEN: &str = "GRISTMILL_ADMIN_TOKEN";

/// Which host.
#[derive(Debug, Args)]
pub struct Host {
    /// The admin server of the host.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    pub url: String,
    /// A file with the server's token, if it wants one; else it is taken from GRISTMILL_ADMIN_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The admin server of a host.
#[derive(Debug, Clone)]
pub(super) struct AdminServer {
    client: Client,
    base: Url,
}

impl AdminServer {
    /// Does not connect yet.
    ///
    /// # Errors
    /// A wrong address, or a token that cannot be read.
    pub(super) fn of(host: &Host) -> Result<Self, Failure> {
        let base = base(&host.url).map_err(Failure::Setup)?;
        let headers = headers(host).map_err(Failure::Setup)?;
        // Neither through a proxy nor to wherever the answer points: the token is for this server.
        let client = Client::builder()
            .connect_timeout(PATIENCE)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .default_headers(headers);
        let client = client.build().context("cannot start an HTTP client")?;
        Ok(Self { client, base })
    }

    /// Asks for what is at a path of these segments. The body may come for as long as it likes.
    ///
    /// # Errors
    /// That nobody answers, or why the host does not do as asked.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Response> {
        let url = self.at(path, query)?;
        let answer = tokio::time::timeout(PATIENCE, self.client.get(url).send()).await;
        let answer = answer.map_err(anyhow::Error::from).and_then(|answer| Ok(answer?));
        self.successful(answer.with_context(|| self.nobody())?).await
    }

    /// Asks for something to be done, and waits until it is.
    ///
    /// # Errors
    /// That nobody answers, or why the host does not do as asked.
    pub(super) async fn post(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Response> {
        self.ask(self.client.post(self.at(path, query)?)).await
    }

    /// Sends a module with its digest, and waits until the host has tried it out.
    ///
    /// # Errors
    /// That nobody answers, or why the host does not take it.
    pub(super) async fn push(&self, path: &[&str], query: &[(&str, &str)], wasm: Vec<u8>) -> anyhow::Result<Response> {
        let digest = format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(&wasm)));
        self.ask(self.client.post(self.at(path, query)?).header("content-digest", digest).body(wasm)).await
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let answer = request.timeout(WORK).send().await.with_context(|| self.nobody())?;
        self.successful(answer).await
    }

    fn nobody(&self) -> String {
        let base = &self.base;
        format!("no host answers at {base}; it listens where [admin] of its host file says, --url names another place")
    }

    async fn successful(&self, answer: Response) -> anyhow::Result<Response> {
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = tokio::time::timeout(PATIENCE, answer.bytes()).await.ok().and_then(Result::ok).unwrap_or_default();
        bail!("the host at {} answers {status}: {}", self.base, detail(&body));
    }

    /// Each segment of a path is encoded: the name of a pipeline is whatever the user typed.
    fn at(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} is no base of an address", self.base))?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

fn base(url: &str) -> anyhow::Result<Url> {
    match Url::parse(url) {
        Ok(base) if matches!(base.scheme(), "http" | "https") && base.has_host() && base.query().is_none() => Ok(base),
        _ => bail!("--url {url:?} is not the address of an admin server, for example http://127.0.0.1:9464"),
    }
}

/// The token, which is never shown.
fn headers(host: &Host) -> anyhow::Result<HeaderMap> {
    let token = match &host.token_file {
        Some(file) => Some(SecretRef::File(file.clone()).read()?),
        None if std::env::var_os(TOKEN).is_some_and(|token| !token.is_empty()) => {
            Some(SecretRef::Env(TOKEN.to_owned()).read()?)
        }
        None => None,
    };
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut value = value.context("the token is not one line of text")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// What an error says, by RFC 9457 or as it is.
fn detail(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = match problem.get("detail").and_then(Value::as_str) {
        Some(detail) => Cow::Borrowed(detail),
        None => String::from_utf8_lossy(body),
    };
    gristmill_core::model::printable(&text.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(url: &str) -> Host {
        Host { url: url.into(), token_file: None }
    }

    #[test]
    fn what_the_user_typed_stays_one_segment() {
        let server = AdminServer::of(&host("http://h:1/behind/")).unwrap();
        let url = server.at(&["v1", "pipelines", "a/../b?c", "tap"], &[("stage", "x&y")]).unwrap();
        assert_eq!(url.as_str(), "http://h:1/behind/v1/pipelines/a%2F..%2Fb%3Fc/tap?stage=x%26y");
    }

    #[test]
    fn a_wrong_address_is_refused_with_an_example() {
        for url in ["", "9464", "127.0.0.1:9464", "ftp://h", "http://h/?a=b"] {
            let failure = AdminServer::of(&host(url)).unwrap_err().to_string();
            assert!(failure.contains("http://127.0.0.1:9464"), "{url}: {failure}");
        }
    }

    #[test]
    fn an_error_is_shown_in_its_own_words() {
        assert_eq!(detail(br#"{"title": "Not Found", "detail": "no pipeline \"x\""}"#), "no pipeline \"x\"");
        assert_eq!(detail(b"plain\x1b[2J"), "plain\u{fffd}[2J");
        assert_eq!(detail(b"{\"other\": 1}"), "{\"other\": 1}");
    }
}
