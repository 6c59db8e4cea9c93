//! One stage alone, outside of any pipeline: what it is, and what it makes of one item.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use gristmill_core::model::{
    Attribute, ChatFailure, ChatRequest, ChatResponse, DocumentGeneration, DocumentId, EmbedRequest, EmbedResponse,
    EventId, Header, Item, ItemId, JobId, Outcome, Partition, Position, Stamp, Timestamp, TraceContext,
};
use gristmill_core::ports::{Call, Caller, Edition, Model, ModelError, Stage, StageError};
use gristmill_core::settings::ByteSize;
use gristmill_llm::settings::{AliasSettings, ScriptedSettings, TargetSettings};
use gristmill_store::MemoryState;
use gristmill_wasm::{
    Compiler, Description, Grants, Isolation, LoadError, Module, Runtime, StageLimits, StageSpec, State, WasmStage,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::load;
use super::models::model_alone;
use crate::settings::{HostLimits, StateQuota};

/// Where stages run alone. One per command.
pub struct Sandbox {
    runtime: Runtime,
}

/// A stage to be loaded alone.
#[derive(Debug, Clone)]
pub struct SandboxStage {
    /// Its name.
    pub name: String,
    /// What its module is called in messages.
    pub shown: String,
    /// Its module.
    pub module: Module,
    /// Its configuration.
    pub config: Value,
    /// Those of its branches that have a route.
    pub routed: BTreeSet<String>,
    /// The script that answers in place of models, whatever their alias. Without one, models refuse to answer.
    pub answers: Option<PathBuf>,
}

/// An item to be handled alone.
#[derive(Debug, Clone, Default)]
pub struct SandboxItem {
    /// The content.
    pub payload: Bytes,
    /// Its media type.
    pub content_type: Option<String>,
    /// The key.
    pub key: Option<Bytes>,
    /// The headers.
    pub headers: Vec<Header>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// Which attempt it is; 0 is the first, too.
    pub attempt: u32,
}

/// A stage that is loaded alone.
pub struct Loaded {
    /// The stage.
    pub stage: WasmStage,
    scripts: Arc<Scripts>,
}

/// What came of an item.
#[derive(Debug)]
pub struct Ran {
    /// What the stage decided.
    pub result: Result<Outcome, StageError>,
    /// How long the call took.
    pub took: Duration,
    /// How often it asked a model.
    pub asked: u64,
}

impl Sandbox {
    /// A sandbox for one stage at a time.
    ///
    /// # Errors
    /// The machine cannot provide the address space or a thread, or there is no folder for compiled stages.
    pub fn new() -> Result<Self, Failure> {
        let limits = HostLimits { memory: Some(StageLimits::default().memory), ..HostLimits::default() };
        Ok(Self { runtime: load::runtime(&[], limits, Compiler::Here, CancellationToken::new())? })
    }

    /// The memory of an instance that is not told otherwise.
    #[must_use]
    pub fn memory(&self) -> ByteSize {
        StageLimits::default().memory
    }

    /// What a stage says of itself, and the schema of its configuration, whatever it is configured with here.
    ///
    /// # Errors
    /// It is no stage, or does not describe itself.
    pub async fn describe(&self, stage: SandboxStage) -> Result<(Description, Option<String>), Failure> {
        let (spec, _) = spec(stage)?;
        Box::pin(self.runtime.describe(spec)).await.map_err(refused)
    }

    /// Loads a stage as a pipeline would that grants it all it asks for.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub async fn load(&self, stage: SandboxStage) -> Result<Loaded, Failure> {
        let (spec, scripts) = spec(stage)?;
        let stage = Box::pin(self.runtime.load(spec)).await.map_err(refused)?;
        Ok(Loaded { stage, scripts })
    }
}

impl Loaded {
    /// Handles one item. The ids of item and job are always the same.
    pub async fn run(&self, item: SandboxItem) -> Ran {
        let asked = self.scripts.asked.load(Ordering::Relaxed);
        let call = call(item);
        let begun = Instant::now();
        let result = self.stage.run(&call).await;
        Ran { result, took: begun.elapsed(), asked: self.scripts.asked.load(Ordering::Relaxed) - asked }
    }
}

fn refused(error: LoadError) -> Failure {
    Failure::Setup(anyhow::Error::new(error))
}

fn spec(stage: SandboxStage) -> Result<(StageSpec, Arc<Scripts>), Failure> {
    let SandboxStage { name, shown, module, config, routed, answers } = stage;
    let needed = match module.interfaces() {
        Ok(interfaces) => Grants::needed_by(&interfaces),
        // Loading it says why, with the stage's name.
        Err(_) => Grants::default(),
    };
    let scripts = Arc::new(Scripts { file: answers, models: Mutex::default(), asked: AtomicU64::new(0) });
    // Read now: a script that is wrong is told before a stage asks.
    scripts.model(None).map_err(Failure::Setup)?;
    let spec = StageSpec {
        pipeline: "stage".into(),
        name: name.into(),
        module: shown,
        wasm: module,
        config,
        routed,
        grants: needed,
        limits: StageLimits::default(),
        isolation: Isolation::Item,
        model: Some(Arc::clone(&scripts) as Arc<dyn Model>),
        // Services cannot be called here: there is nobody to say which may be.
        http: None,
        state: Some(State { entries: Arc::new(MemoryState::default()), quota: StateQuota::default().into() }),
        metrics: None,
    };
    Ok((spec, scripts))
}

fn call(item: SandboxItem) -> Call {
    let SandboxItem { payload, content_type, key, headers, attributes, attempt } = item;
    let event = EventId { partition: Partition { topic: "items".into(), index: 0 }, position: Position(0) };
    let job = JobId::new("stage", &event);
    let document = DocumentId::unnamed(&event);
    let generation = DocumentGeneration::of(&Stamp { place: event.clone(), time: Timestamp(0) });
    let item = Item { id: ItemId::root(&document), key, payload, content_type, headers, attributes };
    let trace = TraceContext::of_job(&job);
    Call {
        job,
        event,
        document,
        generation,
        timestamp: Timestamp(0),
        item,
        attempt: attempt.max(1),
        edition: Edition::default(),
        trace,
        span: trace,
    }
}

/// One script behind every alias that a stage names.
struct Scripts {
    file: Option<PathBuf>,
    /// By alias. A lock, because calls of one stage ask side by side; it is never held while one waits.
    models: Mutex<BTreeMap<String, Arc<dyn Model>>>,
    asked: AtomicU64,
}

impl Scripts {
    /// The model behind an alias; `None` if there is no script.
    fn model(&self, alias: Option<&str>) -> anyhow::Result<Option<Arc<dyn Model>>> {
        let Some(script) = &self.file else { return Ok(None) };
        let alias = alias.unwrap_or("default");
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(alias) {
            return Ok(Some(Arc::clone(model)));
        }
        let target = TargetSettings::Scripted(ScriptedSettings { script: script.clone(), price: None });
        let model = model_alone(alias, AliasSettings::new(vec![target]))?;
        models.insert(alias.to_owned(), Arc::clone(&model));
        Ok(Some(model))
    }

    fn answering(&self, alias: Option<&str>) -> Result<Arc<dyn Model>, ModelError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.model(alias) {
            Ok(Some(model)) => Ok(model),
            Ok(None) => Err(ChatFailure::Denied(NO_ANSWERS.to_owned()).into()),
            Err(error) => Err(ChatFailure::Misconfigured(format!("{error:#}")).into()),
        }
    }
}

const NO_ANSWERS: &str =
    "nothing says what models answer here: write an answers.toml beside the item, or name one with --answers";

#[async_trait]
impl Model for Scripts {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        self.answering(request.model.as_deref())?.chat(caller, request).await
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.answering(request.model.as_deref())?.embed(caller, request).await
    }
}
