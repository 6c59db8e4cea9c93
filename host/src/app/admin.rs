//! What the admin server asks of the host: how it is, and commands to its pipelines.

mod scrape;
mod versions;
mod view;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use gristmill_admin::{
    Admin, Command, Control, Done, HostView, Outcome, Phase, Refused, Server, Tap, Tapped, readiness,
};
use gristmill_telemetry::metrics::{Metrics, SpansNow};
use gristmill_telemetry::taps::Shown;
use gristmill_telemetry::traces::Traces;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::failure::Failure;
use super::host::{Host, Reloaded};
use super::snapshot::Snapshot;
use crate::settings::Pipeline;

/// Reads the file of a pipeline again: `None` if no file has it any more.
pub type Files = Box<dyn Fn(&str) -> Result<Option<Pipeline>, Failure> + Send + Sync>;

/// What a host can be asked, from before it runs until it has stopped.
pub struct Desk {
    started: Instant,
    /// Set once all pipelines are connected.
    host: OnceLock<Arc<Host>>,
    metrics: Arc<Metrics>,
    traces: Option<Traces>,
    shutdown: CancellationToken,
    tap: Tap,
    files: Files,
}

/// What a desk is set up with.
pub struct DeskOptions {
    /// What the pipelines of the host count in.
    pub metrics: Arc<Metrics>,
    /// Where the spans of traces go.
    pub traces: Option<Traces>,
    /// Cancelled when the operator wants everything to stop.
    pub shutdown: CancellationToken,
    /// How a pipeline's file is read again.
    pub files: Files,
}

impl Desk {
    /// Opens the admin server of a host that is about to be built; `None` if there is to be none. It answers until the guard
    /// is dropped.
    ///
    /// # Errors
    /// An address that cannot be had, or that is open to others; a token that cannot be read.
    pub async fn open(admin: &Admin, options: DeskOptions) -> Result<Option<(Arc<Self>, DropGuard)>, Failure> {
        let Admin::On(settings) = admin else { return Ok(None) };
        let server = Server::bind(settings).await.map_err(|error| Failure::Setup(error.into()))?;
        tracing::info!(address = %server.address(), "the admin server listens");
        let DeskOptions { metrics, traces, shutdown, files } = options;
        let (started, host) = (Instant::now(), OnceLock::new());
        let desk = Arc::new(Self { started, host, metrics, traces, shutdown, tap: settings.tap, files });
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(Arc::<Self>::clone(&desk), stop.clone()));
        Ok(Some((desk, stop.drop_guard())))
    }

    /// The host runs.
    pub fn attend(&self, host: &Arc<Host>) {
        // Nothing else sets it.
        let _ = self.host.set(Arc::clone(host));
    }

    /// The host, if its pipelines run.
    fn host(&self) -> Result<&Arc<Host>, Refused> {
        self.host.get().ok_or_else(|| Refused::Conflict("the host is starting: no pipeline runs yet".into()))
    }

    async fn look(&self) -> (HostView, Option<Snapshot>) {
        let (phase, snapshot) = match self.host.get() {
            None => (Phase::Starting, None),
            Some(host) => (Phase::Running, Some(host.snapshot().await)),
        };
        let phase = if self.shutdown.is_cancelled() { Phase::Stopping } else { phase };
        let mut view = view::host(phase, self.started.elapsed(), snapshot.as_ref());
        view.reasons = readiness(&view);
        (view, snapshot)
    }

    /// Takes on the changed file of a pipeline. In a task of its own: who asked for it may leave.
    async fn reload(&self, host: &Arc<Host>, name: &str) -> Result<Reloaded, Refused> {
        let file = match (self.files)(name) {
            Ok(Some(file)) => file,
            Ok(None) => return Err(Refused::Faulty(format!("no file has the pipeline {name:?} any more"))),
            Err(failure) => return Err(refused(failure)),
        };
        let host = Arc::clone(host);
        let reload = tokio::spawn(async move { host.reload(file).await });
        match reload.await {
            Ok(reloaded) => reloaded.map_err(refused),
            Err(panicked) => Err(Refused::Failed(format!("the reload broke: {panicked}"))),
        }
    }
}

#[async_trait]
impl Control for Desk {
    async fn view(&self) -> HostView {
        self.look().await.0
    }

    async fn metrics(&self) -> String {
        let (view, snapshot) = self.look().await;
        let spans = |traces: &Traces| SpansNow { sent: traces.sent(), lost: traces.lost() };
        let spans = self.traces.as_ref().map(spans).unwrap_or_default();
        self.metrics.render(&scrape::of(&view, snapshot.as_ref(), spans))
    }

    async fn command(&self, pipeline: &str, command: Command) -> Result<Done, Refused> {
        let host = self.host()?;
        find(host, pipeline)?;
        let (result, deployment) = match command {
            Command::Pause => (host.pause(pipeline).await.map(|()| Outcome::Paused), None),
            Command::Resume => (host.resume(pipeline).await.map(|()| Outcome::Resumed), None),
            Command::Reload => match self.reload(host, pipeline).await? {
                Reloaded::Swapped { version } => (Ok(Outcome::Swapped), Some(version)),
                Reloaded::Restarted => (Ok(Outcome::Restarted), None),
            },
        };
        Ok(Done { pipeline: pipeline.to_owned(), result: result.map_err(refused)?, deployment })
    }

    fn tap(&self, pipeline: &str, stage: Option<&str>) -> Result<BoxStream<'static, Tapped>, Refused> {
        let shown = match self.tap {
            Tap::Off => {
                return Err(Refused::Forbidden("taps are switched off: `tap` under [admin] of the host file".into()));
            }
            Tap::Redacted => Shown::Shape,
            Tap::Full => Shown::Contents,
        };
        let host = self.host()?;
        find(host, pipeline)?;
        let stages: Vec<Arc<str>> = host
            .of(pipeline, |running| {
                running.serving.deployment.steps.iter().map(|step| Arc::clone(&step.name)).collect()
            })
            .map_err(refused)?;
        if let Some(stage) = stage.filter(|stage| !stages.iter().any(|known| **known == **stage)) {
            let stages = stages.join(", ");
            return Err(Refused::NotFound(format!("{pipeline} has no stage {stage:?}; it has {stages}")));
        }
        let samples = host.of(pipeline, |running| running.watched.taps.open(stage, shown)).map_err(refused)?;
        let samples = unfold(samples, async |mut samples| Some((samples.recv().await?, samples)));
        Ok(samples.map(view::tapped).boxed())
    }
}

/// Says what a pipeline is that does not run.
fn find(host: &Host, name: &str) -> Result<(), Refused> {
    let pipelines = host.running();
    if pipelines.by_name.contains_key(name) {
        return Ok(());
    }
    if pipelines.restarting.as_deref() == Some(name) {
        return Err(Refused::Conflict(format!("the pipeline {name:?} is being restarted")));
    }
    match pipelines.stopped.get(name) {
        Some(why) => Err(Refused::Conflict(format!("the pipeline {name:?} has stopped: {why}"))),
        None => Err(Refused::NotFound(format!("there is no pipeline {name:?}"))),
    }
}

fn refused(failure: Failure) -> Refused {
    let message = failure.to_string();
    match failure {
        Failure::Config(_) | Failure::Setup(_) => Refused::Faulty(message),
        Failure::Policy(_) => Refused::Conflict(message),
        Failure::Running(_) => Refused::Failed(message),
    }
}
