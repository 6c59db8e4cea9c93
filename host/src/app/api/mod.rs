//! The HTTP API of a host: who is let in, what it asks of the pipelines, and how long it answers.

mod reception;
mod threads;

use std::sync::Arc;

use anyhow::Context;
use gristmill_api::{ApiSettings, CheckWebhook, Parts, Server};
use gristmill_auth::{AuthSettings, Open, Tokens};
use gristmill_core::ports::Admission;
use gristmill_webhooks::{Guard, Sender, WebhookSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::failure::Failure;
use super::host::Host;
use crate::settings::is_open;

use reception::Reception;
use threads::Threads;

/// The API of a host, which answers from before its pipelines run until they have ended.
pub struct Api {
    reception: Arc<Reception>,
    stop: CancellationToken,
    served: JoinHandle<()>,
    /// Where that happens.
    threads: Threads,
    /// Who tells of ends, and what stops it.
    telling: Option<(CancellationToken, JoinHandle<()>)>,
}

/// What the API is opened with.
pub struct ApiOptions<'a> {
    /// What the operator configured.
    pub settings: &'a ApiSettings,
    /// Whose tokens are good; without them everybody who can ask may.
    pub auth: Option<&'a AuthSettings>,
    /// How others are told of ends, if they are.
    pub webhooks: Option<&'a WebhookSettings>,
    /// The names of the pipelines that are about to run.
    pub pipelines: Vec<Arc<str>>,
    /// Cancelled when the operator wants everything to stop: no request is taken from then on.
    pub shutdown: &'a CancellationToken,
}

impl Api {
    /// Opens the API of a host that is about to be built.
    ///
    /// # Errors
    /// An address that cannot be had, or that is open to others; keys that cannot be read.
    pub async fn open(options: ApiOptions<'_>) -> Result<Self, Failure> {
        let ApiOptions { settings, auth, webhooks, pipelines, shutdown } = options;
        if is_open(settings, auth.is_some()) {
            return Err(Failure::Setup(anyhow::anyhow!(
                "the API would listen on {}, which other machines can reach, and let everybody in: add [auth] to the host \
                 file, listen on 127.0.0.1, or say anyone = true under [api]",
                settings.listen
            )));
        }
        let admission: Arc<dyn Admission> = match auth {
            Some(auth) => {
                Arc::new(Tokens::start(auth, Arc::new(clock::now)).context("[auth]").map_err(Failure::Setup)?)
            }
            None => Arc::new(Open),
        };
        let reception = Arc::new(Reception::of(pipelines));
        let sender =
            webhooks.map(|webhooks| Sender::new(webhooks, Arc::<Reception>::clone(&reception) as _, clock::now));
        let sender = sender.transpose().map_err(|error| Failure::Setup(error.into()))?;
        let parts = Parts {
            desk: Arc::<Reception>::clone(&reception),
            admission,
            webhooks: sender.as_ref().map(|sender| check(sender.guard())),
            clock: clock::now,
        };
        let threads = Threads::start().context("the threads of the API cannot be started").map_err(Failure::Setup)?;
        let settings = settings.clone();
        let bound = threads.spawn(async move { Server::bind(&settings, parts).await }).await;
        let server = bound.map_err(anyhow::Error::from).and_then(|bound| Ok(bound?)).map_err(Failure::Setup)?;
        tracing::info!(url = server.url(), "the API listens");
        let stop = shutdown.child_token();
        let served = threads.spawn(server.serve(stop.clone()));
        let telling = sender.map(|sender| {
            // Not that of the host: jobs end while it stops.
            let stop = CancellationToken::new();
            (stop.clone(), tokio::spawn(sender.run(stop)))
        });
        Ok(Self { reception, stop, served, threads, telling })
    }

    /// The host runs.
    pub fn attend(&self, host: &Arc<Host>) {
        self.reception.attend(host);
    }

    /// Takes no more requests, and waits until those that it has are answered and messages on their way have ended: bounded by
    /// the server and the sender. What is not told yet is told by another host, or after the next start.
    pub async fn finish(self) {
        self.stop.cancel();
        let mut tasks = vec![self.served];
        if let Some((stop, telling)) = self.telling {
            stop.cancel();
            tasks.push(telling);
        }
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a task of the API panicked");
            }
        }
        drop(self.threads);
    }
}

/// Looks at the addresses that clients give for webhooks.
fn check(guard: Guard) -> Arc<CheckWebhook> {
    Arc::new(move |url: &str| guard.check(url).map(drop).map_err(|reason| reason.to_string()))
}
