//! Keys that are published, and change: one task asks for them, everybody else reads what it has.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::settings::{ByteSize, ReadError, read_file};
use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};
use reqwest::{Client, Url};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::key::{KeySet, LeftOut};

/// The bounds of what the issuer says about how long they are fresh.
const FRESH: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
/// How long they are fresh if it says nothing.
const USUALLY_FRESH: Duration = Duration::from_secs(5 * 60);
/// How long they are used after that, if the issuer is away.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two attempts because of tokens whose key is not known.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(60);
/// Between two attempts if the first fails; doubled up to `BETWEEN_REQUESTS`.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest set of keys.
const LARGEST: ByteSize = ByteSize::kib(256);
/// How many requests may wait for a key that is not known.
const MOST_WAITING: usize = 1_000;

/// What was read, and how long it is fresh.
pub(crate) struct Fetched {
    json: Vec<u8>,
    fresh: Duration,
}

/// Where keys are read from.
#[async_trait]
pub(crate) trait Origin: Send + 'static {
    /// As the log calls it.
    fn name(&self) -> String;

    /// Reads them, within [`PATIENCE`].
    async fn fetch(&self) -> Result<Fetched, String>;
}

/// What the task has.
#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    good_until: Instant,
}

/// A request that waits: somebody has a token with a key that is not known.
type Asked = oneshot::Sender<()>;

/// The keys that are published somewhere.
pub(crate) struct Published {
    held: watch::Receiver<Option<Held>>,
    ask: mpsc::Sender<Asked>,
    task: JoinHandle<()>,
}

impl Drop for Published {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Published {
    /// Begins to read them, with those that were read already.
    pub(crate) fn start(origin: impl Origin, known: Option<KeySet>) -> Self {
        let known = known.map(|keys| Held { keys: Arc::new(keys), good_until: Instant::now() + FRESH.0 + STALE });
        let next = if known.is_some() { Instant::now() + FRESH.0 } else { Instant::now() };
        let (tell, held) = watch::channel(known);
        let (ask, asked) = mpsc::channel(MOST_WAITING);
        let keeper = Keeper { origin, tell, next, last_asked: None, retry: FIRST_RETRY };
        Self { held, ask, task: tokio::spawn(keeper.run(asked)) }
    }

    /// The keys, among which is this one if the issuer has it now. `None` if there are none that are still good.
    pub(crate) async fn with(&self, kid: Option<&str>) -> Option<Arc<KeySet>> {
        match self.good() {
            Some(keys) if keys.find(kid).is_some() => Some(keys),
            _ => {
                self.refresh().await;
                self.good()
            }
        }
    }

    fn good(&self) -> Option<Arc<KeySet>> {
        let held = self.held.borrow();
        held.as_ref().filter(|held| Instant::now() < held.good_until).map(|held| Arc::clone(&held.keys))
    }

    /// Waits until they are as new as they may be asked for.
    async fn refresh(&self) {
        let (done, told) = oneshot::channel();
        // Too many wait already: they are answered with what there is.
        if self.ask.try_send(done).is_ok() {
            let _ = timeout(PATIENCE, told).await;
        }
    }
}

/// The task that asks.
struct Keeper<O> {
    origin: O,
    tell: watch::Sender<Option<Held>>,
    /// When to ask next.
    next: Instant,
    /// When somebody's key was last asked for.
    last_asked: Option<Instant>,
    /// How long to wait after the next failure.
    retry: Duration,
}

impl<O: Origin> Keeper<O> {
    async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        loop {
            tokio::select! {
                () = sleep_until(self.next) => self.fetch().await,
                request = asked.recv() => {
                    let Some(request) = request else { return };
                    if self.last_asked.is_none_or(|last| last.elapsed() >= BETWEEN_REQUESTS) {
                        self.last_asked = Some(Instant::now());
                        self.fetch().await;
                    }
                    // Whoever asked may be gone.
                    let _ = request.send(());
                }
            }
        }
    }

    async fn fetch(&mut self) {
        let fetched = match timeout(PATIENCE, self.origin.fetch()).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let keys = fetched.and_then(|fetched| match KeySet::published(&fetched.json) {
            Ok((keys, left_out)) => Ok((keys, left_out, fetched.fresh)),
            Err(reason) => Err(reason.to_string()),
        });
        match keys {
            Ok((keys, left_out, fresh)) => self.keep(keys, &left_out, fresh),
            Err(reason) => self.fail(&reason),
        }
    }

    fn keep(&mut self, keys: KeySet, left_out: &[LeftOut], fresh: Duration) {
        let name = self.origin.name();
        if self.retry > FIRST_RETRY || self.tell.borrow().is_none() {
            info!(from = %name, "the keys of the tokens' issuer are there");
            warn(&name, left_out);
        }
        let now = Instant::now();
        (self.next, self.retry) = (now + fresh, FIRST_RETRY);
        self.tell.send_replace(Some(Held { keys: Arc::new(keys), good_until: now + fresh + STALE }));
    }

    fn fail(&mut self, reason: &str) {
        let now = Instant::now();
        let good_for = self.tell.borrow().as_ref().map_or(Duration::ZERO, |held| held.good_until - now);
        warn!(
            from = %self.origin.name(), reason, good_for_seconds = good_for.as_secs(), again_in_seconds = self.retry.as_secs(),
            "the keys of the tokens' issuer cannot be had; those that are there are used for now"
        );
        self.next = now + self.retry;
        self.retry = (self.retry * 2).min(BETWEEN_REQUESTS);
    }
}

/// Says which keys are left out.
pub(crate) fn warn(name: &str, left_out: &[LeftOut]) {
    for (place, reason) in left_out {
        warn!(from = %name, key = place, %reason, "a key of the tokens' issuer is not used");
    }
}

/// Keys in a file, which is read again every minute.
pub(crate) struct FromFile {
    path: PathBuf,
}

impl FromFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, ReadError> {
        read_file(&self.path, LARGEST)
    }
}

#[async_trait]
impl Origin for FromFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    async fn fetch(&self) -> Result<Fetched, String> {
        let path = self.path.clone();
        // A file system over a network may take long.
        let read = tokio::task::spawn_blocking(move || read_file(&path, LARGEST)).await;
        let json = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(Fetched { json, fresh: FRESH.0 })
    }
}

/// Keys that are asked for by HTTP.
pub(crate) struct FromWeb {
    client: Client,
    url: Url,
}

impl FromWeb {
    pub(crate) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        // A proxy is for what is outside.
        let client = if url.scheme() == "http" { client.no_proxy() } else { client };
        Ok(Self { client: client.build()?, url })
    }
}

#[async_trait]
impl Origin for FromWeb {
    fn name(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.to_string()
    }

    async fn fetch(&self) -> Result<Fetched, String> {
        let mut response = self.client.get(self.url.clone()).send().await.map_err(plain)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("it answers {}; redirects are not followed", response.status().as_u16()));
        }
        let fresh = freshness(response.headers());
        let mut json = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(plain)? {
            if json.len() + chunk.len() > LARGEST.as_usize() {
                return Err(format!("it answers more than {LARGEST}"));
            }
            json.extend_from_slice(&chunk);
        }
        Ok(Fetched { json, fresh })
    }
}

/// An error and its cause, without the address: that may have a secret in it.
fn plain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = next.to_string();
        cause = next.source();
    }
    text
}

/// How long an answer is fresh (RFC 9111), within our bounds.
fn freshness(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    let mut fresh = USUALLY_FRESH;
    for directive in directives.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return FRESH.0;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=").and_then(|seconds| seconds.parse::<u64>().ok()) {
            fresh = Duration::from_secs(seconds.saturating_sub(age));
        }
    }
    fresh.clamp(FRESH.0, FRESH.1)
}

#[cfg(test)]
mod tests;
