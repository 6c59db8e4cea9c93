//! The pipelines that run in a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_api::Pipeline as Entrance;
use gristmill_core::flow::{Deployment, Handle};
use gristmill_core::model::Share;
use gristmill_core::ports::{Broker, Sink};
use gristmill_llm::Purse;
use gristmill_versions::{Change, Digest};
use gristmill_wasm::Described;
use tokio_util::sync::CancellationToken;

use super::load::Loaded;
use super::observers::Watched;
use super::outside::Outside;
use super::store::Stores;
use crate::settings::Pipeline;

/// The pipelines that run, the one that is being restarted, and why others do not run any more.
#[derive(Default)]
pub(super) struct Pipelines {
    pub(super) by_name: BTreeMap<Arc<str>, Running>,
    pub(super) restarting: Option<Arc<str>>,
    /// Those that stopped by themselves.
    pub(super) stopped: BTreeMap<Arc<str>, String>,
    /// What is on disk and was not taken on.
    pub(super) refused: Refusals,
}

/// What is on disk and was not taken on.
pub(super) type Refusals = BTreeMap<Refused, Refusal>;

/// What was not taken on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refused {
    /// Files that cannot be read, so that nobody knows whose they are.
    Files,
    /// The file of a pipeline.
    Pipeline(Arc<str>),
    /// The module of a stage of a pipeline.
    Stage(Arc<str>, Arc<str>),
}

/// Why it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: String,
    /// The module, so that it is not tried again before it changes.
    pub(super) digest: Option<Digest>,
}

/// A pipeline that runs.
pub(super) struct Running {
    pub(super) file: Pipeline,
    pub(super) handle: Handle,
    /// What new jobs run, and what is known of its stages.
    pub(super) serving: Serving,
    /// What a share of them runs.
    pub(super) trial: Option<OnTrial>,
    /// The last version of a deployment.
    pub(super) last: u64,
    /// What the stages reach.
    pub(super) outside: Arc<Outside>,
    pub(super) broker: Arc<dyn Broker>,
    /// Writes events from outside, by the producer that it has anyway.
    pub(super) events: Arc<dyn Sink>,
    pub(super) stores: Stores,
    pub(super) purse: Option<Arc<Purse>>,
    pub(super) watched: Watched,
    /// Where jobs come in. `None` if nobody can follow them.
    pub(super) entrance: Option<Arc<Entrance>>,
    /// Cancelled when it has ended and is not among the running ones any more.
    pub(super) ended: CancellationToken,
}

/// A deployment, and what is known of its stages in their order.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) deployment: Arc<Deployment>,
    pub(super) described: Vec<Described>,
    /// The modules that the file names.
    pub(super) files: Vec<Digest>,
}

/// A deployment that differs from the serving one in one stage.
pub(super) struct OnTrial {
    pub(super) serving: Serving,
    /// Which stage.
    pub(super) index: usize,
    pub(super) share: Share,
}

impl Running {
    /// The version of its next deployment.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Counts what became of a version of a stage.
    pub(super) fn count_version(&self, index: usize, change: Change) {
        self.watched.metrics.version(&self.file.stages[index].name.shared(), change_label(change));
    }
}

/// How metrics call a change.
fn change_label(change: Change) -> &'static str {
    match change {
        Change::Ready => "ready",
        Change::Serving => "serving",
        Change::Canary => "canary",
        Change::Withdrawn => "withdrawn",
        Change::Refused => "refused",
    }
}

/// What a pipeline serves when it was loaded, and what its stages reach.
pub(super) fn serving(loaded: Loaded) -> (Serving, Arc<Outside>) {
    let Loaded { deployment, described, files, outside } = loaded;
    (Serving { deployment, described, files }, outside)
}

impl Pipelines {
    /// How many run, or will in a moment.
    pub(super) fn count(&self) -> usize {
        self.by_name.len() + usize::from(self.restarting.is_some())
    }
}
