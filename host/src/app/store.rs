//! Whether and where jobs and documents are remembered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use gristmill_config::Fault;
use gristmill_core::flow::ObservedStore;
use gristmill_core::flow::settings::{Checkpoint, SinkKey};
use gristmill_core::model::{Spent, SpentOn};
use gristmill_core::ports::{
    Acts, Answers, Counters, Deliveries, Documents, JobBook, Jobs, Observer, Published, Spending, StageState, Store,
    StoreError,
};
use gristmill_store::{
    MemoryDocuments, MemoryJobs, MemorySpending, MemoryState, Postgres, Redis, ServerSettings, Settings, Sqlite,
    StoreSettings, StoreUrl,
};

use super::broker::is_embedded;
use super::clock;
use super::failure::Failure;
use super::records::Records;
use crate::settings::{Pipeline, StageSettings};

/// How long jobs are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// As the pipeline file says, in its state store.
    Durable,
    /// As long as this process lives, for commands that run nothing or whose broker ends with them.
    ThisProcess,
}

/// The variable that names the folder of state stores.
const STATE: &str = "GRISTMILL_STATE";

/// Where a pipeline remembers what it has done.
#[derive(Clone, Default)]
pub(super) struct Stores {
    /// Answers and outcomes of jobs. `None` when nothing is to be kept, or when events do not outlive this process.
    pub(super) jobs: Option<Arc<dyn Store>>,
    /// Answers of models that any job may reuse. `None` if there is no store, or no stage that asks models.
    pub(super) answers: Option<Arc<dyn Answers>>,
    /// What documents have left in the sink. `None` if items are not the keys there.
    pub(super) documents: Option<Arc<dyn Documents>>,
    /// What was spent on models. `None` if no stage may ask one.
    pub(super) spending: Option<Arc<dyn Spending>>,
    /// Counts limits and budgets together with other hosts. `None` if the store is this host's alone.
    pub(super) counters: Option<Arc<dyn Counters>>,
    /// What stages keep between items. `None` if none may.
    pub(super) state: Option<Arc<dyn StageState>>,
    /// The records of jobs. `None` if nobody can follow them.
    pub(super) records: Option<Records>,
}

/// What pipelines on the embedded broker have done, by their names: one that is started again finds its records there.
#[derive(Default)]
pub(super) struct Embedded(Mutex<BTreeMap<Arc<str>, InMemory>>);

/// What is remembered of a pipeline, at most as long as the process lives.
struct InMemory {
    documents: Arc<MemoryDocuments>,
    spending: Arc<MemorySpending>,
    state: Arc<MemoryState>,
    records: Arc<MemoryJobs>,
}

impl InMemory {
    fn new(settings: &StoreSettings) -> Self {
        let records = MemoryJobs::new(settings.keep_ended, settings.keep_unfinished, Arc::new(clock::now));
        let records = Arc::new(records);
        Self { documents: Arc::default(), spending: Arc::default(), state: Arc::default(), records }
    }
}

impl Embedded {
    fn stores(&self, pipeline: &Pipeline, is_recorded: bool) -> Stores {
        // Nothing panics in the one line under the lock.
        let mut by_name = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let InMemory { documents, spending, state, records } =
            by_name.entry(pipeline.name.shared()).or_insert_with(|| InMemory::new(&pipeline.store));
        Stores {
            jobs: None,
            answers: None,
            documents: by_item(pipeline).then(|| Arc::<MemoryDocuments>::clone(documents) as Arc<dyn Documents>),
            spending: pipeline.asks_models().then(|| Arc::<MemorySpending>::clone(spending) as Arc<dyn Spending>),
            counters: None,
            state: keeps_state(pipeline).then(|| Arc::<MemoryState>::clone(state) as Arc<dyn StageState>),
            records: is_recorded.then(|| Records::of(records)),
        }
    }
}

/// What stores are opened with, beside their pipeline.
pub(super) struct Opening<'a> {
    pub(super) memory: Memory,
    pub(super) embedded: &'a Embedded,
    /// Whether jobs have records.
    pub(super) is_recorded: bool,
    pub(super) observer: Arc<dyn Observer>,
}

impl Opening<'_> {
    /// Opens what the pipeline needs.
    ///
    /// # Errors
    /// A folder or a file that cannot be used, at its place in the pipeline file.
    pub(super) async fn open(self, pipeline: &Pipeline) -> Result<Stores, Failure> {
        if self.memory == Memory::ThisProcess || is_embedded(pipeline) {
            return Ok(self.embedded.stores(pipeline, self.is_recorded));
        }
        if !keeps(pipeline) && !keeps_state(pipeline) && !by_item(pipeline) && !self.is_recorded {
            return Ok(Stores::default());
        }
        match &pipeline.store.url {
            None => {
                let folder = folder(pipeline)?;
                let settings = Settings::of(&pipeline.store, folder, &pipeline.name, Arc::new(clock::now));
                let opened = tokio::task::spawn_blocking(move || Sqlite::open(settings)).await;
                let store = opened.context("opening the state store")?.map_err(|error| unusable(pipeline, error))?;
                Ok(self.stores_of(pipeline, store))
            }
            Some(StoreUrl::Postgres(url)) => {
                let store = Postgres::open(url, server(pipeline)?).await.map_err(|error| unusable(pipeline, error))?;
                Ok(self.shared(pipeline, store))
            }
            Some(StoreUrl::Redis(url)) => {
                let store = Redis::open(url, server(pipeline)?).await.map_err(|error| unusable(pipeline, error))?;
                Ok(self.shared(pipeline, store))
            }
        }
    }

    /// What the pipeline needs of a store.
    fn stores_of<S: Keeper>(self, pipeline: &Pipeline, store: S) -> Stores {
        self.of_observed(pipeline, &Arc::new(ObservedStore::new(store, Arc::clone(&self.observer))))
    }

    /// The same of a store that hosts share, where they also count together.
    fn shared<S: Keeper + Counters>(self, pipeline: &Pipeline, store: S) -> Stores {
        let store = Arc::new(ObservedStore::new(store, Arc::clone(&self.observer)));
        let counters = pipeline.asks_models().then(|| Arc::clone(&store) as Arc<dyn Counters>);
        Stores { counters, ..self.of_observed(pipeline, &store) }
    }

    fn of_observed<S: Keeper>(&self, pipeline: &Pipeline, store: &Arc<ObservedStore<S>>) -> Stores {
        Stores {
            jobs: keeps(pipeline).then(|| Arc::clone(store) as Arc<dyn Store>),
            answers: pipeline.asks_models().then(|| Arc::clone(store) as Arc<dyn Answers>),
            spending: pipeline.asks_models().then(|| Arc::clone(store) as Arc<dyn Spending>),
            documents: by_item(pipeline).then(|| Arc::clone(store) as Arc<dyn Documents>),
            state: keeps_state(pipeline).then(|| Arc::clone(store) as Arc<dyn StageState>),
            records: self.is_recorded.then(|| Records::of(store)),
            counters: None,
        }
    }
}

/// A store that keeps whatever a pipeline may have to keep.
trait Keeper:
    Store + Answers + Documents + Spending + StageState + Jobs + Acts + JobBook + Published + Deliveries + 'static
{
}

impl<S> Keeper for S where
    S: Store + Answers + Documents + Spending + StageState + Jobs + Acts + JobBook + Published + Deliveries + 'static
{
}

/// The settings of a store on a server. Reads its password.
fn server(pipeline: &Pipeline) -> Result<ServerSettings, Failure> {
    let read = ServerSettings::of(&pipeline.store, &pipeline.name);
    read.map_err(|error| fault(pipeline, "/store/password", "the password of the state store cannot be read", &error))
}

/// A server that is away is no fault of the file: whoever supervises this process starts it again.
fn unusable(pipeline: &Pipeline, error: StoreError) -> Failure {
    if matches!(error, StoreError::Transient { .. }) {
        return Failure::Running(error.into());
    }
    let pointer = if pipeline.store.url.is_some() { "/store/url" } else { "/store" };
    fault(pipeline, pointer, "the state store cannot be used", &error)
}

/// A fault of a key of `[store]`, which may be in the host file.
fn fault(pipeline: &Pipeline, pointer: &str, message: &str, reason: &dyn std::error::Error) -> Failure {
    let (store, place) = (&pipeline.store, pipeline.place(pointer));
    let is_named = store.url.is_some() || store.folder.is_some();
    let message = match place.line_and_column() {
        None if is_named => format!("{message}; it is the one in [store] of the host file"),
        None | Some(_) => message.to_owned(),
    };
    Failure::Config(Fault::at(place, message).label(reason.to_string()).into())
}

/// Whether the pipeline has something of its jobs to keep: answers of models and services, or outcomes of stages.
pub(super) fn keeps(pipeline: &Pipeline) -> bool {
    let keeps = |stage: &StageSettings| stage.grants.journals() || keeps_outcomes(stage);
    pipeline.asks_models() || pipeline.stages.iter().any(keeps)
}

/// Whether a stage keeps values between items.
pub(super) fn keeps_state(pipeline: &Pipeline) -> bool {
    pipeline.stages.iter().any(|stage| stage.grants.state.is_some())
}

/// What is paid for is worth keeping: automatically that is what a stage with models decides.
pub(super) fn keeps_outcomes(stage: &StageSettings) -> bool {
    match stage.checkpoint {
        Checkpoint::Auto => stage.grants.asks_models() || stage.grants.journals(),
        Checkpoint::Always => true,
        Checkpoint::Never => false,
    }
}

/// Whether items are the keys of the sink.
fn by_item(pipeline: &Pipeline) -> bool {
    pipeline.sink.key == SinkKey::Item
}

/// What a pipeline has spent on models by its state store, the oldest day first. It may run meanwhile.
///
/// # Errors
/// A store that cannot be read.
pub async fn spending(pipeline: &Pipeline) -> Result<Vec<(SpentOn, Spent)>, Failure> {
    if is_embedded(pipeline) {
        return Err(Failure::Setup(anyhow::anyhow!(
            "the pipeline {} has the embedded broker, so it keeps nothing of what it has spent",
            pipeline.name
        )));
    }
    // Whoever looks does not wait for a server that is away.
    let server = || server(pipeline).map(|settings| ServerSettings { patience: Duration::ZERO, ..settings });
    let spent = match &pipeline.store.url {
        None => gristmill_store::spending_of(&folder(pipeline)?, &pipeline.name),
        Some(StoreUrl::Postgres(url)) => match Postgres::open(url, server()?).await {
            Ok(store) => store.all().await,
            Err(error) => Err(error),
        },
        Some(StoreUrl::Redis(url)) => match Redis::open(url, server()?).await {
            Ok(store) => store.all().await,
            Err(error) => Err(error),
        },
    };
    spent.map_err(|error| Failure::Running(error.into()))
}

fn folder(pipeline: &Pipeline) -> Result<PathBuf, Failure> {
    match &pipeline.store.folder {
        Some(folder) => Ok(folder.clone()),
        None => state_folder(),
    }
}

/// `GRISTMILL_STATE`, else the user's folder for such things.
pub(super) fn state_folder() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(STATE)
        .or_else(|| variable("XDG_STATE_HOME").map(|folder| folder.join("gristmill")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/gristmill")))
        .ok_or_else(|| {
            Failure::Setup(anyhow::anyhow!("no folder for the state store; set {STATE} to one, or store.folder"))
        })
}
