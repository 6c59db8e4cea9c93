//! The distribution specification's API, as far as taking needs it: what comes is bounded, and an account is told to nobody
//! but the registry and whom it names for that.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_auth::ChallengeRef;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::credentials::Account;
use super::reference::is_this_machine;
use super::{PullError, Reference};

/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one request may take.
const WHOLE: Duration = Duration::from_secs(600);
/// How often one request may be sent elsewhere.
const MOST_REDIRECTS: usize = 5;
/// The largest answer of whoever gives tokens.
const LARGEST_TOKEN: usize = 64 << 10;

/// A client of one registry, for the taking of one component.
pub(crate) struct Client<'r> {
    http: &'r reqwest::Client,
    reference: &'r Reference,
    account: Option<Account>,
    /// What the registry wants to see, once it has said so.
    authorization: OnceCell<HeaderValue>,
}

/// What is asked for.
pub(crate) struct Wanted<'w> {
    /// Below the component's name: `blobs/sha256:…`.
    pub(crate) path: &'w str,
    /// For people: "the manifest of oci://…".
    pub(crate) what: &'w str,
    pub(crate) accept: Option<&'static str>,
    /// The most bytes.
    pub(crate) most: usize,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// The HTTP client that all registries share.
pub(crate) fn http() -> reqwest::Result<reqwest::Client> {
    // Redirects are followed here, where it is known what may be told to whom.
    let client = reqwest::Client::builder().redirect(Policy::none()).read_timeout(SILENCE).timeout(WHOLE);
    client.user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION"))).build()
}

impl<'r> Client<'r> {
    pub(crate) fn new(http: &'r reqwest::Client, reference: &'r Reference, account: Option<Account>) -> Self {
        Self { http, reference, account, authorization: OnceCell::new() }
    }

    /// What comes. Cancel-safe: nothing is kept.
    pub(crate) async fn get(&self, wanted: &Wanted<'_>) -> Result<Bytes, PullError> {
        let url = format!("{}/{}", self.reference.base(), wanted.path);
        let url = Url::parse(&url).map_err(|error| self.connection(wanted, &error.to_string()))?;
        let mut answer = self.ask(url.clone(), wanted).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.authorization.get().is_none() {
            let challenge = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
            let authorization = self.authorize(challenge.unwrap_or_default(), wanted).await?;
            // Another request cannot have set it: there is one at a time.
            self.authorization.set(authorization).ok();
            answer = self.ask(url, wanted).await?;
        }
        let (registry, what) = (self.reference.registry().to_owned(), wanted.what.to_owned());
        match answer.status() {
            status if status.is_success() => self.read(answer, wanted).await,
            StatusCode::NOT_FOUND => Err(PullError::NotFound { registry, what }),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(PullError::Denied { registry, what, status: status.as_u16() })
            }
            status => Err(PullError::Status { registry, what, status: status.as_u16() }),
        }
    }

    /// The answer at this address, or at that which it leads to.
    async fn ask(&self, mut url: Url, wanted: &Wanted<'_>) -> Result<Response, PullError> {
        let home = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.http.get(url.clone());
            if let Some(accept) = wanted.accept {
                request = request.header(ACCEPT, accept);
            }
            // Where blobs are stored is often somebody else's.
            if url.origin() == home.origin()
                && let Some(authorization) = self.authorization.get()
            {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            let answer = self.send(request, wanted).await?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let redirect = |reason| PullError::Redirect { what: wanted.what.to_owned(), reason };
            let next = location.and_then(|location| url.join(location).ok());
            url = next.ok_or_else(|| redirect("nowhere: it names no address"))?;
            if !is_safe(&url, &home) {
                return Err(redirect("an address without TLS"));
            }
        }
        Err(PullError::Redirect { what: wanted.what.to_owned(), reason: "one address after another" })
    }

    /// What the registry wants to see, by what it has answered: a token of whom it names, or the account itself.
    async fn authorize(&self, challenge: &str, wanted: &Wanted<'_>) -> Result<HeaderValue, PullError> {
        let denied = || PullError::Denied {
            registry: self.reference.registry().to_owned(),
            what: wanted.what.to_owned(),
            status: StatusCode::UNAUTHORIZED.as_u16(),
        };
        let challenges = http_auth::parse_challenges(challenge).map_err(|_| denied())?;
        let by_scheme =
            |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        if let Some(bearer) = by_scheme("bearer") {
            let token = self.token(bearer, wanted).await?.ok_or_else(denied)?;
            return secret_header(&format!("Bearer {}", token.expose_secret())).ok_or_else(denied);
        }
        match (by_scheme("basic"), &self.account) {
            (Some(_), Some(account)) => {
                let request = self
                    .http
                    .get(self.reference.base())
                    .basic_auth(&account.name, Some(account.password.expose_secret()));
                let request = request.build().map_err(|error| self.connection(wanted, &error.to_string()))?;
                request.headers().get(AUTHORIZATION).cloned().ok_or_else(denied)
            }
            _ => Err(denied()),
        }
    }

    async fn token(&self, bearer: &ChallengeRef<'_>, wanted: &Wanted<'_>) -> Result<Option<SecretString>, PullError> {
        let parameter = |name: &str| {
            let found = bearer.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let Some(mut realm) = parameter("realm").and_then(|realm| Url::parse(&realm).ok()) else { return Ok(None) };
        let home = Url::parse(&self.reference.base()).map_err(|error| self.connection(wanted, &error.to_string()))?;
        if !is_safe(&realm, &home) {
            let reason = "an address without TLS for a token";
            return Err(PullError::Redirect { what: wanted.what.to_owned(), reason });
        }
        let scope = parameter("scope").unwrap_or_else(|| format!("repository:{}:pull", self.reference.name()));
        realm.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = parameter("service") {
            realm.query_pairs_mut().append_pair("service", &service);
        }
        let mut request = self.http.get(realm);
        if let Some(Account { name, password }) = &self.account {
            request = request.basic_auth(name, Some(password.expose_secret()));
        }
        let answer = self.send(request, wanted).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let bytes = self.read(answer, &Wanted { most: LARGEST_TOKEN, ..*wanted }).await?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        Ok(token.and_then(|token| token.token.or(token.access_token)).map(Into::into))
    }

    async fn send(&self, request: RequestBuilder, wanted: &Wanted<'_>) -> Result<Response, PullError> {
        request.send().await.map_err(|error| self.connection(wanted, &plain(&error)))
    }

    /// The whole answer, unless it is larger than it may be.
    async fn read(&self, mut answer: Response, wanted: &Wanted<'_>) -> Result<Bytes, PullError> {
        let too_large = || PullError::TooLarge { what: wanted.what.to_owned(), most: wanted.most };
        if answer.content_length().is_some_and(|length| length > wanted.most as u64) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.connection(wanted, &plain(&error)))? {
            if bytes.len() + part.len() > wanted.most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.freeze())
    }

    fn connection(&self, wanted: &Wanted<'_>, reason: &str) -> PullError {
        PullError::Connection { what: wanted.what.to_owned(), reason: reason.to_owned() }
    }
}

/// With TLS, or on this machine if the registry is, too.
fn is_safe(url: &Url, home: &Url) -> bool {
    let is_here = |url: &Url| url.host_str().is_some_and(is_this_machine);
    url.scheme() == "https" || (url.scheme() == "http" && is_here(url) && is_here(home))
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The innermost cause, without the address, which may have a signature in it.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("nothing came for {} s", SILENCE.as_secs());
    }
    let mut last = "the connection broke".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        last = next.to_string();
        cause = next.source();
    }
    last
}
