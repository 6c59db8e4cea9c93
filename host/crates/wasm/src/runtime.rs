//! Once per process: the engine, its clock, the linkers, and the loading of modules.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use super::bindings::gristmill;
use super::cache::Cache;
use super::error::{LoadError, Reason};
use super::exports::Linked;
use super::grants::{self, Grants};
use super::inspect::inspect;
use super::limits::{Isolation, StageLimits, TICK};
use super::module::Module;
use super::slots::Slots;
use super::stage::WasmStage;
use super::state::{CallState, Surroundings};
use gristmill_core::ports::Model;

/// How the process runs components.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Where compiled code is kept between starts.
    pub cache: PathBuf,
    /// Maximum number of instances across all stages, including idle ones. Further calls wait.
    pub instances: NonZeroUsize,
    /// The largest memory limit of any stage, in bytes.
    pub largest_memory: usize,
    /// Cancelled when the host is asked to stop; visible to guests.
    pub shutdown: CancellationToken,
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
    /// The model that answers its requests; used only if granted.
    pub model: Option<Arc<dyn Model>>,
}

/// The engine with what every stage may import, the code cache and the instance slots.
pub struct Runtime {
    engine: Engine,
    free: Linker<CallState>,
    cache: Cache,
    /// The code of stages that exist, by the digest of its module. The lock is held while one is compiled: two at a time
    /// would need twice the memory, and a module that both want would be compiled twice.
    compiled: Mutex<HashMap<Arc<str>, Weak<Component>>>,
    slots: Arc<Slots>,
    largest_memory: usize,
    shutdown: CancellationToken,
}

/// Maximum core instances per component. A Rust component has about 4, a Python one more than 20.
const CORE_INSTANCES_EACH: u32 = 50;
/// Maximum memories, and maximum tables, per component. All instances may have that many at once: only addresses are
/// reserved for those that have fewer.
const MEMORIES_EACH: u32 = 4;
const TABLES_EACH: u32 = 16;
/// How many bytes of each memory stay with the process while no instance uses it.
const RESIDENT_EACH: usize = 1 << 20;

impl Runtime {
    /// Creates the engine and starts its clock, a thread that ends with the engine.
    ///
    /// # Errors
    /// The machine cannot provide the address space or the thread.
    pub fn new(settings: RuntimeSettings) -> anyhow::Result<Self> {
        let engine = Engine::new(&config(&settings))?;
        start_clock(&engine)?;
        let mut free = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut free)?;
        gristmill::stage::types::add_to_linker::<_, HasSelf<CallState>>(&mut free, |state| state)?;
        gristmill::stage::logging::add_to_linker::<_, HasSelf<CallState>>(&mut free, |state| state)?;
        gristmill::stage::context::add_to_linker::<_, HasSelf<CallState>>(&mut free, |state| state)?;
        gristmill::stage::llm_types::add_to_linker::<_, HasSelf<CallState>>(&mut free, |state| state)?;
        Ok(Self {
            engine,
            free,
            cache: Cache::open(&settings.cache),
            compiled: Mutex::default(),
            slots: Arc::new(Slots::new(settings.instances.get())),
            largest_memory: settings.largest_memory,
            shutdown: settings.shutdown,
        })
    }

    /// Loads a stage: looks whether the module is of a sensible size and fits the contract and the grants, compiles it,
    /// asks it to describe itself, checks the configuration against its schema, and initializes one instance to see that
    /// this works.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub async fn load(&self, spec: StageSpec) -> Result<WasmStage, LoadError> {
        let (stage, module) = (spec.name.to_string(), spec.module.clone());
        self.load_checked(spec).await.map_err(|reason| LoadError { stage, module, reason })
    }

    async fn load_checked(&self, spec: StageSpec) -> Result<WasmStage, Reason> {
        // The engine would give it less without a word.
        if spec.limits.memory.as_usize() > self.largest_memory {
            return Err(Reason::Memory { wanted: spec.limits.memory, most: self.largest_memory });
        }
        spec.wasm.check_header()?;
        grants::check(&inspect(&spec.wasm.wasm)?, spec.grants)?;
        let digest = Arc::clone(&spec.wasm.digest);
        let component = self.compile(spec.wasm).await?;
        let linker = self.linker(spec.grants).map_err(Reason::Contract)?;
        let linked = linker.instantiate_pre(&component).and_then(Linked::new).map_err(Reason::Contract)?;
        let surroundings = Surroundings {
            pipeline: spec.pipeline,
            stage: spec.name,
            routed: spec.routed,
            model: spec.model.filter(|_| spec.grants.llm),
            shutdown: self.shutdown.clone(),
            limits: spec.limits,
            isolation: spec.isolation,
        };
        WasmStage::ready(linked, (digest, component), Arc::new(surroundings), &spec.config, Arc::clone(&self.slots))
            .await
    }

    /// What a stage with these grants may import, and nothing else.
    fn linker(&self, grants: Grants) -> wasmtime::Result<Linker<CallState>> {
        let mut linker = self.free.clone();
        if grants.llm {
            gristmill::stage::llm::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
        }
        if grants.embeddings {
            gristmill::stage::embeddings::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
        }
        Ok(linker)
    }

    async fn compile(&self, module: Module) -> Result<Arc<Component>, Reason> {
        let mut compiled = self.compiled.lock().await;
        if let Some(component) = compiled.get(&module.digest).and_then(Weak::upgrade) {
            return Ok(component);
        }
        let (engine, cache) = (self.engine.clone(), self.cache.clone());
        let digest = Arc::clone(&module.digest);
        let compile = move || cache.compile(&engine, &module.digest, &module.wasm);
        let component = match tokio::task::spawn_blocking(compile).await {
            Ok(component) => Arc::new(component.map_err(Reason::Compile)?),
            Err(panicked) => return Err(Reason::Compile(wasmtime::Error::new(panicked))),
        };
        compiled.retain(|_, component| component.strong_count() > 0);
        compiled.insert(digest, Arc::downgrade(&component));
        Ok(component)
    }
}

fn config(settings: &RuntimeSettings) -> Config {
    let instances = u32::try_from(settings.instances.get()).unwrap_or(u32::MAX);
    let several = |each: u32| instances.saturating_mul(each);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(several(CORE_INSTANCES_EACH))
        .max_core_instances_per_component(CORE_INSTANCES_EACH)
        .total_memories(several(MEMORIES_EACH))
        .max_memories_per_component(MEMORIES_EACH)
        .total_tables(several(TABLES_EACH))
        .max_tables_per_component(TABLES_EACH)
        .table_elements(20_000)
        .total_stacks(instances)
        .max_memory_size(settings.largest_memory)
        // What lies below this bound is reset in place; the rest is released, and each page of it is a fault when it is
        // touched again. A stage with a small stack fits in, and a fresh instance of it costs half: docs/performance.md.
        .linear_memory_keep_resident(RESIDENT_EACH)
        .table_keep_resident(16 << 10)
        // It would tell which pages were touched. But on a busy machine the kernel (6.18) was seen to stay in that one
        // call for minutes, until a signal came: a worker thread hung, and its job.
        .pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_max_frames(None);
    config
}

/// Advances the epoch. The thread holds the engine weakly and ends with it.
fn start_clock(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
