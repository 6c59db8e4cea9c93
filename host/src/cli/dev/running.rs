//! The pipeline that runs in a session, on a broker of its own in this process.

use std::num::NonZeroU32;
use std::sync::Arc;

use gristmill_core::flow::settings::DeliveryMode;
use gristmill_core::model::Size;
use gristmill_core::ports::{Observer, Record};
use gristmill_kafka::Property;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::trace::Trace;
use crate::app::{self, Failure, Host, HostOptions, Memory, Reloaded};
use crate::settings::{HostLimits, Pipeline};

/// How long the embedded broker may keep a fetch waiting, in milliseconds: it answers one that found nothing only then, however
/// soon something comes.
const LONGEST_FETCH: &str = "10";

/// As much as an embedded broker keeps in any case, headers and its own framing aside.
const AT_ONCE: usize = 1 << 20;

/// A pipeline that runs.
pub(super) struct Running {
    host: Arc<Host>,
    pub(super) pipeline: Pipeline,
    /// Cancelled when it has ended.
    pub(super) over: CancellationToken,
    /// Lets it end.
    stop: CancellationToken,
    ended: JoinHandle<Result<(), Failure>>,
}

/// How a running pipeline took on a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Swapped,
    Restarted,
}

/// Makes a pipeline one to be developed: on the embedded broker, of which nothing that the file says of reaching another one is
/// true, and which has no transactions; and never stopped by its own policy, because samples are bad on purpose, again and again.
pub(super) fn loosen(pipeline: &mut Pipeline) {
    pipeline.kafka = None;
    app::embed(pipeline);
    if let Some(kafka) = &mut pipeline.kafka {
        let wait = Property::Plain(LONGEST_FETCH.to_owned());
        kafka.properties.0.insert("fetch.wait.max.ms".to_owned(), wait);
    }
    pipeline.delivery = DeliveryMode::AtLeastOnce;
    pipeline.limits.max_dead_letter_rate = 1.0;
    pipeline.limits.max_reject_rate = 1.0;
    pipeline.limits.max_dead_letters_in_a_row = NonZeroU32::MAX;
}

impl Running {
    /// Starts a pipeline.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) async fn start(
        pipeline: Pipeline,
        trace: Arc<Trace>,
        shutdown: &CancellationToken,
    ) -> Result<Self, Failure> {
        let (stop, over) = (shutdown.child_token(), CancellationToken::new());
        let observers: Vec<Arc<dyn Observer>> = vec![trace];
        let options = HostOptions {
            memory: Memory::ThisProcess,
            limits: HostLimits::default(),
            // What its author has just written need not be kept apart from him, and a process of its own takes time.
            compiler: app::Compiler::Here,
            shutdown: stop.clone(),
            watchers: app::Watchers { observers, ..app::Watchers::default() },
            following: app::Following::default(),
            versions: app::Versions::none(),
            registry: app::registry(app::Network::Online)?,
        };
        let (built, ends) = Host::build(vec![pipeline.clone()], options).await?;
        let Some(host) = built.start().await? else {
            return Err(Failure::Running(anyhow::anyhow!("stopped before the pipeline ran")));
        };
        let told = over.clone();
        let ended = tokio::spawn(async move {
            let result = ends.all().await;
            told.cancel();
            result
        });
        Ok(Self { host, pipeline, over, stop, ended })
    }

    /// Where its broker listens.
    pub(super) fn address(&self) -> String {
        self.host.embedded_address().unwrap_or_default()
    }

    /// The topic of its events.
    pub(super) fn topic(&self) -> Arc<str> {
        self.pipeline.source.topic.shared()
    }

    /// Takes on a changed pipeline of the same name.
    ///
    /// # Errors
    /// What is wrong with it; the one before goes on.
    pub(super) async fn reload(&mut self, pipeline: Pipeline) -> Result<Taken, Failure> {
        let taken = match self.host.reload(pipeline.clone()).await? {
            Reloaded::Swapped { .. } => Taken::Swapped,
            Reloaded::Restarted => Taken::Restarted,
        };
        self.pipeline = pipeline;
        Ok(taken)
    }

    /// Writes events to its topic.
    ///
    /// # Errors
    /// The broker does not take them.
    pub(super) async fn send(&self, records: Vec<Record>) -> Result<(), Failure> {
        if records.iter().map(Size::size).sum::<usize>() <= AT_ONCE {
            self.host.events(&self.pipeline.name)?.deliver(records).await.map_err(anyhow::Error::new)?;
            return Ok(());
        }
        // It connects anew, which takes half a second, and sends what the broker has room for.
        let broker = self.host.broker(&self.pipeline.name)?;
        let groups = records.into_iter().map(|record| vec![record]).collect();
        broker.write(groups, Some(self.pipeline.group()), &|_| {}).await.map_err(anyhow::Error::new)?;
        Ok(())
    }

    /// Lets it end, if it has not, and waits for that.
    ///
    /// # Errors
    /// Why it ended, if that was by itself.
    pub(super) async fn end(self) -> Result<(), Failure> {
        self.stop.cancel();
        match self.ended.await {
            Ok(result) => result,
            Err(lost) => Err(Failure::Running(anyhow::Error::new(lost).context("the pipeline was lost"))),
        }
    }
}
