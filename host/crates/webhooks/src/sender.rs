//! Sends what is due, of all pipelines, until it is stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::{JobRecord, Timestamp};
use gristmill_core::ports::{Deliveries, Delivery, Tried};
use gristmill_core::settings::{Network, SecretError};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::client::Client;
use super::desk::{Desk, Outgoing};
use super::guard::Guard;
use super::line::Line;
use super::message::{Message, kind};
use super::resolver::{Lookup, SystemLookup};
use super::schedule::{Delivering, Outcome, next};
use super::settings::WebhookSettings;
use super::signature::Secrets;

/// How often the stores are asked for what is due.
const LOOK: Duration = Duration::from_secs(1);
/// The most that one pipeline is asked for at a time, so that others have room.
const MOST_AT_ONCE: usize = 64;
/// How long a message may wait for its turn, beside the time that it takes to send it.
const WAITING: Duration = Duration::from_secs(60);
/// How long messages on their way may take when the host stops. The others come again once their lease is over.
const ENDING: Duration = Duration::from_secs(5);

/// Why there are no webhooks with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("webhooks.secrets: {0}")]
    Secret(#[from] SecretError),
    /// A secret cannot be used.
    #[error("webhooks.secrets: {0}")]
    BadSecret(String),
    /// A network is none.
    #[error(
        "webhooks.allow: {0:?} is not a network: write ADDRESS/BITS, the bits after the network's zero, as in 10.1.0.0/16"
    )]
    Network(String),
    /// There is no client.
    #[error("there is no HTTPS here: {0}")]
    Client(#[from] reqwest::Error),
}

/// Tells receivers that jobs have ended.
pub struct Sender {
    shared: Arc<Shared>,
    guard: Guard,
}

/// What all tries share.
struct Shared {
    desk: Arc<dyn Desk>,
    client: Client,
    secrets: Secrets,
    timeout: Duration,
    give_up: Duration,
    clock: fn() -> Timestamp,
}

/// A delivery that is leased, and waits.
struct Leased {
    outgoing: Outgoing,
    delivery: Delivery,
    record: JobRecord,
    /// When it must have begun, so that it is over before others may take it.
    begin_before: Instant,
}

impl Sender {
    /// Reads the secrets.
    ///
    /// # Errors
    /// If settings cannot be used.
    pub fn new(settings: &WebhookSettings, desk: Arc<dyn Desk>, clock: fn() -> Timestamp) -> Result<Self, StartError> {
        Self::with(settings, desk, clock, &(Arc::new(SystemLookup) as Arc<dyn Lookup>))
    }

    fn with(
        settings: &WebhookSettings,
        desk: Arc<dyn Desk>,
        clock: fn() -> Timestamp,
        lookup: &Arc<dyn Lookup>,
    ) -> Result<Self, StartError> {
        let mut secrets = Vec::new();
        for secret in &settings.secrets {
            secrets.push((secret.clone(), secret.read()?));
        }
        let secrets = Secrets::of(&secrets).map_err(|error| StartError::BadSecret(error.to_string()))?;
        let guard = Guard::new(&settings.allow).map_err(|Network(text)| StartError::Network(text))?;
        let client = Client::new(&guard, settings.timeout, lookup)?;
        let WebhookSettings { timeout, give_up, .. } = *settings;
        Ok(Self { shared: Arc::new(Shared { desk, client, secrets, timeout, give_up, clock }), guard })
    }

    /// What looks at the addresses that clients give.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Sends what is due until it is stopped. Then messages on their way may take 5 s more.
    pub async fn run(self, stop: CancellationToken) {
        let mut line = Line::new();
        let mut tries: JoinSet<()> = JoinSet::new();
        let mut hosts: HashMap<Id, String> = HashMap::new();
        let mut failing = false;
        let mut turn = 0;
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {
                    turn += 1;
                    self.take(&mut line, turn, &mut failing).await;
                }
                Some(ended) = tries.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(error) => error.id(),
                    };
                    if let Some(host) = hosts.remove(&id) {
                        line.done(&host);
                    }
                }
            }
            while let Some((host, leased)) = line.next() {
                let task = tries.spawn(Arc::clone(&self.shared).attempt(leased));
                hosts.insert(task.id(), host);
            }
        }
        let ended = timeout(ENDING, async { while tries.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            debug!(messages = tries.len(), "webhooks are broken off, and come again");
        }
    }

    /// Takes what is due, beginning with another pipeline each time.
    async fn take(&self, line: &mut Line<Leased>, turn: usize, failing: &mut bool) {
        let mut pipelines = self.shared.desk.outgoing();
        let first = turn % pipelines.len().max(1);
        pipelines.rotate_left(first);
        let lease = self.shared.timeout + WAITING;
        for outgoing in pipelines {
            let most = line.room().min(MOST_AT_ONCE);
            if most == 0 {
                return;
            }
            let begin_before = Instant::now() + WAITING;
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            // A little more, because the host that has it and the one that waits for it count from different moments.
            let due = outgoing.deliveries.due((self.shared.clock)(), lease + LOOK, most).await;
            match due {
                Ok(due) => {
                    *failing = false;
                    for (delivery, record) in due {
                        let host = self.guard.check(&delivery.url).map(|target| target.host().to_owned());
                        let leased = Leased { outgoing: outgoing.clone(), delivery, record, begin_before };
                        line.add(&host.unwrap_or_default(), leased);
                    }
                }
                Err(error) if !*failing => {
                    *failing = true;
                    warn!(pipeline = %outgoing.pipeline, %error, "webhooks wait: the state store does not answer");
                }
                Err(error) => debug!(pipeline = %outgoing.pipeline, %error, "webhooks wait"),
            }
        }
    }
}

impl Shared {
    /// Tries one delivery, and notes what became of it.
    async fn attempt(self: Arc<Self>, leased: Leased) {
        let Leased { outgoing: Outgoing { pipeline, deliveries, .. }, delivery, record, begin_before } = leased;
        if Instant::now() >= begin_before {
            // Others may have it soon, or have it.
            return;
        }
        let outcome = self.send(&pipeline, &delivery, &record).await;
        let now = (self.clock)();
        let delivering = Delivering {
            tries: delivery.tries,
            since: record.updated,
            now,
            give_up: self.give_up,
            random: fastrand::f64(),
        };
        let next = next(&outcome, delivering);
        let (job, run) = (&delivery.job, delivery.run.0);
        let tried = match outcome {
            Outcome::Delivered(status) => Tried { at: now, status: Some(status), error: None },
            Outcome::Gone => {
                let error = "the receiver wants no more messages (410)".to_owned();
                Tried { at: now, status: Some(410), error: Some(error) }
            }
            Outcome::Failed { status, error, .. } => Tried { at: now, status, error: Some(error) },
            Outcome::Pointless(error) => Tried { at: now, status: None, error: Some(error) },
        };
        match (&tried.error, next) {
            (None, _) => info!(%pipeline, %job, run, "webhook delivered"),
            (Some(error), None) => warn!(%pipeline, %job, run, error, "webhook given up"),
            (Some(error), Some(_)) => debug!(%pipeline, %job, run, error, "webhook failed, and is tried again"),
        }
        self.note(&deliveries, &delivery, &tried, next).await;
    }

    async fn send(&self, pipeline: &str, delivery: &Delivery, record: &JobRecord) -> Outcome {
        let Some(kind) = kind(delivery, record) else {
            return Outcome::Pointless("the job was run again, and the end of that run is told".to_owned());
        };
        let shown = self.desk.show(pipeline, record);
        let now = (self.clock)();
        match Message::new(delivery, (kind, record.updated, &shown), &self.secrets, now) {
            Ok(message) => self.client.send(&delivery.url, message, now).await,
            Err(error) => Outcome::Pointless(format!("the job cannot be shown as JSON: {error}")),
        }
    }

    async fn note(
        &self,
        deliveries: &Arc<dyn Deliveries>,
        delivery: &Delivery,
        tried: &Tried,
        next: Option<Timestamp>,
    ) {
        if let Err(error) = deliveries.tried(&delivery.job, delivery.run, tried, next).await {
            let job = &delivery.job;
            warn!(%job, %error, "what became of a webhook could not be noted: it comes again once its lease is over");
        }
    }
}

#[cfg(test)]
mod tests;
