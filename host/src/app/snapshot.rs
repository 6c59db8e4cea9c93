//! A host at one moment: what its pipelines say, what those who watch them know, and what they share.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::flow::{Deployment, Handle, Status};
use gristmill_llm::TargetNow;
use gristmill_telemetry::metrics::Moment;
use gristmill_wasm::Instances;

use super::host::Host;
use super::observers::Watched;
use super::running::Refusals;

/// How long a main loop may take to answer. Whoever asks wants to know within two seconds that it does not.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// A host at one moment.
pub(super) struct Snapshot {
    /// By name.
    pub(super) pipelines: Vec<PipelineNow>,
    pub(super) restarting: Option<Arc<str>>,
    /// Those that stopped by themselves, and why.
    pub(super) stopped: Vec<(Arc<str>, String)>,
    /// What is on disk and was not taken on.
    pub(super) refused: Refusals,
    pub(super) targets: Vec<TargetNow>,
    pub(super) instances: Instances,
}

/// A pipeline that runs.
pub(super) struct PipelineNow {
    pub(super) topics: Topics,
    pub(super) deployment: Arc<Deployment>,
    /// What its main loop says; `None` if it does not answer in time.
    pub(super) status: Option<Status>,
    pub(super) moment: Moment,
}

/// What a pipeline is connected to.
pub(super) struct Topics {
    pub(super) source: String,
    pub(super) group: String,
    pub(super) sink: String,
    pub(super) dead_letters: String,
}

/// What is asked outside of the lock.
struct Asked {
    topics: Topics,
    deployment: Arc<Deployment>,
    handle: Handle,
    watched: Watched,
}

impl Host {
    /// How it is now. Takes at most a moment longer than a main loop may take to answer.
    pub(super) async fn snapshot(&self) -> Snapshot {
        let (asked, restarting, stopped, refused) = {
            let running = self.running();
            let asked: Vec<Asked> = running
                .by_name
                .values()
                .map(|pipeline| Asked {
                    topics: Topics {
                        source: pipeline.file.source.topic.to_string(),
                        group: pipeline.file.group().to_owned(),
                        sink: pipeline.file.sink.topic.to_string(),
                        dead_letters: pipeline.file.dead_letter.topic.to_string(),
                    },
                    deployment: Arc::clone(&pipeline.serving.deployment),
                    handle: pipeline.handle.clone(),
                    watched: pipeline.watched.clone(),
                })
                .collect();
            let stopped = running.stopped.iter().map(|(name, why)| (Arc::clone(name), why.clone())).collect();
            (asked, running.restarting.clone(), stopped, running.refused.clone())
        };
        let pipelines = join_all(asked.into_iter().map(Asked::now)).await;
        Snapshot {
            // One that has ended meanwhile is not there.
            pipelines: pipelines.into_iter().flatten().collect(),
            restarting,
            stopped,
            refused,
            targets: self.limits.targets(),
            instances: self.runtime.instances(),
        }
    }
}

impl Asked {
    async fn now(self) -> Option<PipelineNow> {
        let Self { topics, deployment, handle, watched } = self;
        let status = match tokio::time::timeout(PATIENCE, handle.status()).await {
            Ok(Ok(status)) => Some(status),
            Ok(Err(_)) => return None,
            Err(_) => None,
        };
        let moment = watched.metrics.moment(status.as_ref());
        Some(PipelineNow { topics, deployment, status, moment })
    }
}
