//! The calls of one stage, from what it asks for to what it gets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::network::Net;
use gristmill_core::model::{Blame, HttpFailure, HttpRequest, HttpResponse, Ledger, Requester, Sign, Turn, text};
use gristmill_core::ports::{Answered, Caller, Outbound, OutboundError, Store};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::address::Address;
use super::client::{Client, Incoming, Outgoing};
use super::headers;
use super::journal::{self, Journal};
use super::resolver::{Lookup, Reach};
use super::rule::{self, Rule};
use super::secrets::{NoSecret, Secrets};
use super::settings::HttpGrant;

/// How many services are known by what they answered; beyond it, all are forgotten. More than one name a rule with `*.` brings.
const MOST_SERVICES: usize = 1_024;
/// The longest part of an address in a message, in bytes.
const SHOWN: usize = 200;

/// What the calls of a stage need besides its grant.
pub struct Parts {
    /// Asks name servers.
    pub lookup: Arc<dyn Lookup>,
    /// Where answers are kept, if the grant says so. Without one, they last as long as this process.
    pub store: Option<Arc<dyn Store>>,
}

/// What is wrong with a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGrant {
    /// An address cannot be allowed.
    #[error("\"{rule}\": {reason}")]
    Rule {
        /// As it is written.
        rule: String,
        /// What is wrong with it, and how to write it.
        reason: String,
    },
    /// A network is none.
    #[error(
        "allow_private: \"{0}\" is no network; write ADDRESS/BITS without bits after the network's, as in 10.1.0.0/16"
    )]
    Network(String),
    /// A secret cannot be used.
    #[error("the secret {name}: {reason}")]
    Secret {
        /// Its name.
        name: String,
        /// What is wrong with it. Nothing of the secret.
        reason: String,
    },
    /// There is no client.
    #[error("the HTTP client cannot be created: {0}")]
    Client(String),
}

/// Makes the calls that a grant allows.
pub struct Calls {
    rules: Vec<Rule>,
    reach: Reach,
    secrets: Secrets,
    client: Client,
    /// `None` if answers are not kept.
    journal: Option<Journal>,
    timeout: Duration,
    most_calls: u32,
    largest_request: usize,
    /// What services answered, by scheme, host and port. Locked for a few additions, never across an await.
    services: Mutex<HashMap<String, Ledger>>,
}

impl Calls {
    /// The calls of a grant. Reads its secrets.
    ///
    /// # Errors
    /// The first thing that is wrong with the grant.
    pub fn new(grant: &HttpGrant, parts: Parts) -> Result<Self, BadGrant> {
        let network = |text: &str| Net::read(text).ok_or_else(|| BadGrant::Network(text.to_owned()));
        let networks = grant.allow_private.iter().map(|net| network(&net.0)).collect::<Result<_, _>>()?;
        let reach = Reach::new(networks);
        let mut rules = Vec::new();
        for text in &grant.http {
            let refused = |reason: String| BadGrant::Rule { rule: text.clone(), reason };
            let rule = Rule::read(text).map_err(refused)?;
            if let Some(address) = rule.literal() {
                reach.admit(address).map_err(|inside| refused(inside.to_string()))?;
            }
            rules.push(rule);
        }
        let secrets = Secrets::read(&grant.secrets).map_err(|(name, reason)| BadGrant::Secret { name, reason })?;
        for (name, host) in secrets.hosts() {
            if !rules.iter().any(|rule| rule.is_host(host)) {
                let reason = format!("no address of http is at {host}; name a host that the stage may call");
                return Err(BadGrant::Secret { name: name.to_owned(), reason });
            }
        }
        let client = Client::new(reach.clone(), parts.lookup, grant.max_response.as_usize());
        Ok(Self {
            rules,
            reach,
            secrets,
            client: client.map_err(|error| BadGrant::Client(error.to_string()))?,
            journal: grant.journal.then(|| Journal::new(parts.store)),
            timeout: grant.timeout,
            most_calls: grant.max_calls.get(),
            largest_request: grant.max_request.as_usize(),
            services: Mutex::default(),
        })
    }

    /// The request as it is sent, if that is allowed.
    fn check(&self, request: &HttpRequest) -> Result<(Outgoing, Address), HttpFailure> {
        let HttpRequest { method, url, headers, body, idempotency_key: _, timeout } = request;
        let malformed = |reason: String| HttpFailure::InvalidRequest(reason);
        let address = Address::read(url).map_err(|error| malformed(format!("the address is not sent: {error}")))?;
        let shown = text::line(&format!("{}{}", address.origin(), address.url.path()), SHOWN);
        let Some(method) = rule::method(method) else {
            return Err(HttpFailure::Denied(format!("the method {:?} is never allowed", text::line(method, 20))));
        };
        let about: Vec<_> = self.rules.iter().filter(|rule| rule.has(&address)).collect();
        if about.is_empty() {
            return Err(HttpFailure::Denied(format!(
                "{shown} is not in the grant; the operator can add it to http = […]"
            )));
        }
        if !about.iter().any(|rule| rule.takes(&method)) {
            let add = format!("the operator can add \"{method} {shown}\" to http = […]");
            return Err(HttpFailure::Denied(format!("{method} is not granted for {shown}; {add}")));
        }
        // As the connection is made: literals do not go by the resolver.
        if let Some(literal) = rule::literal(address.host()) {
            self.reach.admit(literal).map_err(|inside| HttpFailure::Denied(inside.to_string()))?;
        }
        if body.len() > self.largest_request {
            let most = self.largest_request;
            return Err(malformed(format!("the body has {} bytes, and at most {most} are allowed", body.len())));
        }
        headers::fit(headers).map_err(malformed)?;
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            let name = headers::name(name).map_err(malformed)?;
            if self.journal.is_some() && name.as_str() == headers::IDEMPOTENCY_KEY {
                return Err(malformed("the host sets idempotency-key; give the request a key instead".to_owned()));
            }
            let value = self.secrets.fill(value, address.host()).map_err(|error| match error {
                NoSecret::Denied(reason) => HttpFailure::Denied(reason),
                NoSecret::Malformed(reason) => malformed(format!("the header {name}: {reason}")),
            })?;
            sent.append(name, value);
        }
        let timeout = timeout.unwrap_or(self.timeout).min(self.timeout);
        let url = address.url.clone();
        Ok((Outgoing { method, url, headers: sent, body: body.clone(), timeout }, address))
    }

    /// Sends it, and judges what comes of it.
    async fn send(&self, caller: &Caller, outgoing: Outgoing, address: &Address) -> Result<Answered, OutboundError> {
        let service = address.origin();
        let Caller { job, stage, item, .. } = caller;
        let who = Requester { job: job.clone(), stage: Arc::clone(stage), item: Arc::clone(item) };
        let turn = self.services().entry(service.clone()).or_default().begin(&who);
        let (method, begun) = (outgoing.method.clone(), Instant::now());
        let result = self.client.send(outgoing).await;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(incoming) => {
                let blame = self.judge(&service, &who, turn, sign(incoming.status));
                let status = incoming.status;
                tracing::debug!(%job, %stage, %method, service, status, elapsed_ms, ?blame, "a service answered");
                Ok(Answered { response: self.clean(incoming), blame })
            }
            Err(lost) => {
                let blame = lost.sign.and_then(|sign| self.judge(&service, &who, turn, Some(sign)));
                let failure = lost.failure;
                tracing::debug!(%job, %stage, %method, service, ?failure, elapsed_ms, ?blame, "a service did not answer");
                Err(OutboundError::Http { failure, blame })
            }
        }
    }

    /// Whose fault it is, by what others got.
    fn judge(&self, service: &str, who: &Requester, turn: Turn, sign: Option<Sign>) -> Option<Blame> {
        let mut services = self.services();
        let ledger = services.get_mut(service)?;
        match sign {
            Some(sign) => Some(ledger.failed(who, turn, sign)),
            None => {
                ledger.answered(who, turn);
                None
            }
        }
    }

    fn services(&self) -> MutexGuard<'_, HashMap<String, Ledger>> {
        // Nothing panics midway through a change.
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if services.len() > MOST_SERVICES {
            services.clear();
        }
        services
    }

    /// What the stage gets to see.
    fn clean(&self, incoming: Incoming) -> HttpResponse {
        let Incoming { status, headers, body } = incoming;
        let shown = headers::shown(&headers);
        HttpResponse {
            status,
            headers: shown.into_iter().map(|(name, value)| (name, self.secrets.take_out_of(value))).collect(),
            body: self.secrets.take_out(&body).map_or(body, Into::into),
            cached: false,
        }
    }
}

/// What a status says about the service, as far as it leaves open whose fault it is.
fn sign(status: u16) -> Option<Sign> {
    match status {
        429 => Some(Sign::Limited),
        500 | 502..=504 | 507 | 508 | 520..=530 => Some(Sign::Broken),
        _ => None,
    }
}

/// Whether a status is an answer for good.
fn is_final(status: u16) -> bool {
    !matches!(status, 408 | 425 | 429 | 500..)
}

/// Whether a call changes something, by its method.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[async_trait]
impl Outbound for Calls {
    async fn call(&self, caller: &Caller, request: &HttpRequest) -> Result<Answered, OutboundError> {
        let (mut outgoing, address) = self.check(request)?;
        let Some(journal) = &self.journal else { return self.send(caller, outgoing, &address).await };
        let key = journal::key(caller, request);
        if let Some(kept) = journal.recall(&caller.job, key).await? {
            tracing::debug!(job = %caller.job, stage = %caller.stage, "an answer that the job has already is given again");
            return Ok(Answered { response: HttpResponse { cached: true, ..kept }, blame: None });
        }
        if changes(&outgoing.method) {
            let idempotency = journal::idempotency_key(&caller.job, key);
            if let Ok(value) = HeaderValue::from_str(&idempotency) {
                outgoing.headers.insert(headers::IDEMPOTENCY_KEY, value);
            }
        }
        let answered = self.send(caller, outgoing, &address).await?;
        if !is_final(answered.response.status) {
            return Ok(answered);
        }
        let response = journal.keep(&caller.job, key, answered.response).await?;
        Ok(Answered { response, blame: answered.blame })
    }

    fn most_calls(&self) -> u32 {
        self.most_calls
    }
}
