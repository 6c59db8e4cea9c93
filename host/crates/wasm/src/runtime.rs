//! Once per process: the engine, the code of its stages, and the loading of modules.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Once};

use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use super::cache::Cache;
use super::code::{Code, Codes};
use super::compiler::{Compiler, CompilerChild, Errand};
use super::description::Description;
use super::engine;
use super::error::{LoadError, Reason, Unfit};
use super::exports::Linked;
use super::grants::{self, Grants};
use super::imports::linker;
use super::inspect::inspect;
use super::limits::{Isolation, MemoryInUse, StageLimits};
use super::module::Module;
use super::notes::{self, Described, Notes, Said, Start, Unrouted};
use super::schema;
use super::slots::Slots;
use super::stage::{Parts, WasmStage};
use super::state::{State, Surroundings};
use super::trial::{Trial, Tried};
use gristmill_core::ports::{Model, Observer, Outbound, Tokens};

/// How the process runs components.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Where compiled code is kept between starts.
    pub cache: PathBuf,
    /// Maximum number of instances across all stages, including idle ones. Further calls wait.
    pub instances: NonZeroUsize,
    /// The largest memory limit of any stage, in bytes.
    pub largest_memory: usize,
    /// Counts tokens for guests.
    pub tokens: Arc<dyn Tokens>,
    /// Cancelled when the host is asked to stop; visible to guests.
    pub shutdown: CancellationToken,
    /// Who compiles and tries out what is not in the cache.
    pub compiler: Compiler,
}

/// A stage to load.
pub struct StageSpec {
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// The stage's name.
    pub name: Arc<str>,
    /// The module as named in the pipeline file, for messages.
    pub module: String,
    /// The module.
    pub wasm: Module,
    /// Its configuration.
    pub config: serde_json::Value,
    /// Those of its branches that have a route.
    pub routed: BTreeSet<String>,
    /// What it may call.
    pub grants: Grants,
    /// What it may use.
    pub limits: StageLimits,
    /// Which of its calls share an instance.
    pub isolation: Isolation,
    /// The model that answers its requests; used only if granted, as what follows.
    pub model: Option<Arc<dyn Model>>,
    /// What calls other services.
    pub http: Option<Arc<dyn Outbound>>,
    /// What keeps its values.
    pub state: Option<State>,
    /// What its numbers are told to.
    pub metrics: Option<Arc<dyn Observer>>,
}

/// The instances of a process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instances {
    /// How many run, or are about to.
    pub running: usize,
    /// How many are kept for their next call.
    pub idle: usize,
    /// How many there may be.
    pub most: usize,
    /// The memories and tables of all of them, in bytes.
    pub memory: usize,
}

/// The engine, the code of its stages, and the instance slots.
pub struct Runtime {
    engine: Engine,
    codes: Codes,
    slots: Arc<Slots>,
    memory: MemoryInUse,
    largest_memory: usize,
    tokens: Arc<dyn Tokens>,
    shutdown: CancellationToken,
    compiler: Compiler,
}

impl Runtime {
    /// Creates the engine and starts its clock, a thread that ends with the engine.
    ///
    /// # Errors
    /// The machine cannot provide the address space or the thread.
    pub fn new(settings: RuntimeSettings) -> anyhow::Result<Self> {
        let engine = engine::serving(settings.instances.get(), settings.largest_memory)?;
        Ok(Self {
            codes: Codes::new(engine.clone(), Cache::open(&settings.cache)),
            engine,
            slots: Arc::new(Slots::new(settings.instances.get())),
            memory: MemoryInUse::default(),
            largest_memory: settings.largest_memory,
            tokens: settings.tokens,
            shutdown: settings.shutdown,
            compiler: settings.compiler,
        })
    }

    /// The instances of all stages now.
    #[must_use]
    pub fn instances(&self) -> Instances {
        let (running, idle) = self.slots.counts();
        Instances { running, idle, most: self.slots.most(), memory: self.memory.bytes() }
    }

    /// Loads a stage: looks whether the module is of a sensible size and fits the contract and the grants, asks it to
    /// describe itself, checks the configuration against its schema, and initializes one instance. What that holds is kept
    /// as the beginning of all instances, unless [`WasmStage::start`] says why not. All of this is done once for a module
    /// and a configuration, as long as the cache has what came of it. May be dropped.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub async fn load(&self, spec: StageSpec) -> Result<WasmStage, LoadError> {
        let (stage, module) = (spec.name.to_string(), spec.module.clone());
        let loaded = async { self.load_wanted(&self.wanted(spec)?).await };
        loaded.await.map_err(|reason| LoadError { stage, module, reason })
    }

    /// Looks at a stage as [`load`](Self::load) does, with the same answers, but compiles it only for this look, which takes
    /// a small part of the time. One that breaks on the way is loaded: then the code that would run decides. May be dropped.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub async fn look(&self, spec: StageSpec) -> Result<Described, LoadError> {
        let (stage, module) = (spec.name.to_string(), spec.module.clone());
        let looked = async { self.look_at(&self.wanted(spec)?).await };
        looked.await.map_err(|reason| LoadError { stage, module, reason })
    }

    /// What a module says of itself, and the schema of its configuration, whatever it is configured with here. May be
    /// dropped.
    ///
    /// # Errors
    /// It is no stage, or does not describe itself.
    pub async fn describe(&self, spec: StageSpec) -> Result<(Description, Option<String>), LoadError> {
        let (stage, module) = (spec.name.to_string(), spec.module.clone());
        let described = async { self.trial(&self.wanted(spec)?).describe().await.map_err(Unfit::into_reason) };
        let said = described.await.map_err(|reason| LoadError { stage, module, reason })?;
        Ok((said.description, said.schema))
    }

    /// Refuses what need not be compiled to be refused.
    fn wanted(&self, spec: StageSpec) -> Result<Wanted, Reason> {
        // The engine would give it less without a word.
        if spec.limits.memory.as_usize() > self.largest_memory {
            return Err(Reason::Memory { wanted: spec.limits.memory, most: self.largest_memory });
        }
        spec.wasm.check_header()?;
        let interfaces = inspect(&spec.wasm.wasm)?;
        grants::check(&interfaces, spec.grants)?;
        let surroundings = Surroundings {
            pipeline: spec.pipeline,
            stage: spec.name,
            routed: spec.routed,
            model: spec.model.filter(|_| spec.grants.asks_models()),
            http: spec.http.filter(|_| spec.grants.http),
            state: spec.state.filter(|_| spec.grants.state),
            metrics: spec.metrics.filter(|_| spec.grants.metrics),
            uncounted: Once::new(),
            tokens: Arc::clone(&self.tokens),
            shutdown: self.shutdown.clone(),
            limits: spec.limits,
            isolation: spec.isolation,
            memory: self.memory.clone(),
            largest: AtomicUsize::default(),
        };
        Ok(Wanted {
            name: notes::name(&spec.wasm.digest, &spec.config.to_string(), &surroundings),
            module: spec.wasm,
            code: interfaces.code,
            unrouted: interfaces.unrouted,
            grants: spec.grants,
            config: spec.config,
            surroundings: Arc::new(surroundings),
        })
    }

    async fn look_at(&self, wanted: &Wanted) -> Result<Described, Reason> {
        let described = |said: Said, start| {
            let digest = Arc::clone(&wanted.module.digest);
            let schema = said.schema.map(Arc::from);
            Described { description: said.description, digest, start, schema, unrouted: wanted.unrouted }
        };
        if let Some((Notes { start: Start::Snapshot, said: Some(said) }, Some(_))) =
            self.codes.cached(&wanted.name).await
        {
            schema::check(said.schema.as_deref(), &wanted.config)?;
            return Ok(described(said, Start::Snapshot));
        }
        match self.try_out(wanted).await {
            Ok(Tried { said, snapshot: Ok(_) }) => Ok(described(said, Start::Snapshot)),
            Ok(Tried { said, snapshot: Err(why) }) => Ok(described(said, Start::init(&why))),
            Err(Unfit::Refused(reason)) => Err(reason),
            Err(Unfit::Always(_) | Unfit::Now(_)) => Ok(self.load_wanted(wanted).await?.described()),
        }
    }

    async fn load_wanted(&self, wanted: &Wanted) -> Result<WasmStage, Reason> {
        let code = self.codes.get(&wanted.name, async || self.make(wanted).await).await?;
        let mut stage = self.stage(wanted, Arc::clone(&code))?;
        match &code.notes.said {
            Some(said) => {
                schema::check(said.schema.as_deref(), &wanted.config)?;
                Ok(stage.saying(said))
            }
            None => {
                stage.describe(&wanted.config).await?;
                stage.try_init().await?;
                Ok(stage)
            }
        }
    }

    fn stage(&self, wanted: &Wanted, code: Arc<Code>) -> Result<WasmStage, Reason> {
        let linker = linker(&self.engine, wanted.grants).map_err(Reason::Contract)?;
        let linked = linker.instantiate_pre(&code.component).and_then(Linked::new).map_err(Reason::Contract)?;
        Ok(WasmStage::new(Parts {
            linked,
            start: code.notes.start.clone(),
            unrouted: wanted.unrouted,
            code: Some(code),
            surroundings: Arc::clone(&wanted.surroundings),
            digest: Arc::clone(&wanted.module.digest),
            config: wanted.config.to_string(),
            slots: Arc::clone(&self.slots),
        }))
    }

    /// The code of a stage: from the cache, or compiled by whoever does that.
    async fn make(&self, wanted: &Wanted) -> Result<Code, Reason> {
        match (self.kept(wanted).await?, &self.compiler, self.codes.folder()) {
            (Some(code), ..) => Ok(code),
            (None, Compiler::Child(child), Some(cache)) => self.make_apart(wanted, child, cache).await,
            (None, ..) => self.make_here(wanted).await,
        }
    }

    /// The code of a stage that was tried out before.
    async fn kept(&self, wanted: &Wanted) -> Result<Option<Code>, Reason> {
        match self.codes.cached(&wanted.name).await {
            Some((notes @ Notes { start: Start::Snapshot, said: Some(_) }, Some(component))) => {
                Ok(Some(Code { component, notes, _whole: None }))
            }
            Some((Notes { start: Start::Init { why }, .. }, _)) => self.whole(wanted, why).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The code of a stage that a child has tried out and compiled.
    async fn make_apart(&self, wanted: &Wanted, child: &CompilerChild, cache: &Path) -> Result<Code, Reason> {
        let surroundings = &wanted.surroundings;
        let errand = Errand {
            limits: child.limits,
            cache: cache.to_owned(),
            largest_memory: self.largest_memory,
            pipeline: surroundings.pipeline.to_string(),
            stage: surroundings.stage.to_string(),
            config: wanted.config.clone(),
            routed: surroundings.routed.clone(),
            grants: wanted.grants,
            stage_limits: surroundings.limits,
            isolation: surroundings.isolation,
            size: wanted.module.wasm.len() as u64,
        };
        let room = self.codes.room(wanted.code).await;
        let start = child.compile(&errand, &wanted.module.wasm).await?;
        drop(room);
        match (self.kept(wanted).await?, start) {
            (Some(code), _) => Ok(code),
            // It broke in its trial and works all the same: that is not noted.
            (None, Start::Init { why }) => self.whole(wanted, why).await,
            (None, Start::Snapshot) => {
                let (stage, folder) = (&*surroundings.stage, cache.display());
                tracing::warn!(stage, %folder, "its code was not kept there; it is compiled again, in this process");
                self.make_here(wanted).await
            }
        }
    }

    /// The code of a stage, which is tried out and compiled in this process.
    async fn make_here(&self, wanted: &Wanted) -> Result<Code, Reason> {
        let why = match self.try_out(wanted).await {
            Ok(Tried { said, snapshot: Ok(wasm) }) => match self.snapshot(wanted, said, wasm).await {
                Ok(code) => return Ok(code),
                Err(broke) => format!("its snapshot does not work: {broke}"),
            },
            Ok(Tried { snapshot: Err(why), .. }) => {
                let start = Start::Init { why: why.clone() };
                self.codes.note(&wanted.name, Notes { start, said: None }).await;
                why
            }
            Err(Unfit::Refused(reason)) => return Err(reason),
            Err(Unfit::Always(why) | Unfit::Now(why)) => why,
        };
        self.whole(wanted, why).await
    }

    async fn try_out(&self, wanted: &Wanted) -> Result<Tried, Unfit> {
        let room = self.codes.room(wanted.code).await;
        self.trial(wanted).run(room).await
    }

    fn trial(&self, wanted: &Wanted) -> Trial {
        Trial {
            wasm: wanted.module.wasm.clone(),
            grants: wanted.grants,
            config: wanted.config.clone(),
            surroundings: Arc::clone(&wanted.surroundings),
            slots: Arc::clone(&self.slots),
        }
    }

    /// The code of a snapshot, of which one instance was made to see that this works.
    async fn snapshot(&self, wanted: &Wanted, said: Said, wasm: Vec<u8>) -> Result<Code, Reason> {
        let notes = Notes { start: Start::Snapshot, said: Some(said) };
        let component = self.codes.compile(&wanted.name, wasm.into(), wanted.code).await?;
        let code = Code { component: component.clone(), notes: notes.clone(), _whole: None };
        self.stage(wanted, Arc::new(code))?.try_init().await?;
        self.codes.note(&wanted.name, notes.clone()).await;
        Ok(Code { component, notes, _whole: None })
    }

    /// The code of a module whose instances begin with `init`.
    async fn whole(&self, wanted: &Wanted, why: String) -> Result<Code, Reason> {
        let notes = Notes { start: Start::init(&why), said: None };
        let Module { wasm, digest } = wanted.module.clone();
        let compile = async || {
            let component = self.codes.compile(&digest, wasm, wanted.code).await?;
            Ok(Code { component, notes: notes.clone(), _whole: None })
        };
        let whole = self.codes.get(&digest, compile).await?;
        Ok(Code { component: whole.component.clone(), notes, _whole: Some(whole) })
    }
}

/// A module that is wanted as a stage.
struct Wanted {
    /// Of its code.
    name: Arc<str>,
    module: Module,
    /// How much code it has, in bytes.
    code: usize,
    unrouted: Unrouted,
    grants: Grants,
    config: serde_json::Value,
    surroundings: Arc<Surroundings>,
}
