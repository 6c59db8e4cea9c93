//! From the settings of stages and models to things that run; everything wrong with them is reported at once, in its place.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use gristmill_config::{ConfigError, Fault};
use gristmill_core::flow::{Deployment, Step, Waits};
use gristmill_core::ports::{Model, Observer};
use gristmill_llm::settings::Settings;
use gristmill_llm::{Gateway, Limits, Purse, Surroundings};
use gristmill_wasm::{
    ConfigFault, Described, Description, Grants, LoadError, Module, Reason, Runtime, RuntimeSettings, StageSpec,
    WasmStage,
};
use tokio_util::sync::CancellationToken;

use super::builtin::BUILTIN;
use super::failure::Failure;
use super::store::{Stores, keeps_outcomes};
use super::{checks, fingerprint, warnings};
use crate::settings::{self, HostLimits, Pipeline};

/// The stages and models of a pipeline, ready to run.
pub struct Loaded {
    /// What the flow runs.
    pub deployment: Arc<Deployment>,
    /// What was found out about each stage.
    pub described: Vec<Described>,
}

/// How many modules are in memory at a time: while one is read or written, another is compiled.
const SIDE_BY_SIDE: usize = 2;

/// What the stages and models of a pipeline are loaded with.
pub(super) struct Loader<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) limits: &'a Arc<Limits>,
    pub(super) stores: Stores,
    /// What the models may cost. `None` if no stage may ask one.
    pub(super) purse: Option<Arc<Purse>>,
    pub(super) observer: Arc<dyn Observer>,
}

/// The engine of a process that runs these pipelines: its instances are bounded in sum.
pub(super) fn runtime(
    pipelines: &[Pipeline],
    bounds: HostLimits,
    shutdown: CancellationToken,
) -> Result<Runtime, Failure> {
    let wanted = |pipeline: &Pipeline| {
        let limits = &pipeline.limits;
        (limits.max_in_flight.get() as usize).saturating_mul(limits.items_in_flight.get() as usize)
    };
    let wanted = pipelines.iter().map(wanted).fold(0, usize::saturating_add);
    let stages = pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let largest = stages.map(|stage| stage.limits.memory.as_usize()).max();
    let largest = bounds.memory.map(|memory| memory.as_usize()).max(largest);
    let most = bounds.instances.get() as usize;
    Ok(Runtime::new(RuntimeSettings {
        cache: cache_folder()?,
        instances: NonZeroUsize::new(wanted.min(most)).unwrap_or(NonZeroUsize::MIN),
        largest_memory: largest.unwrap_or(0).next_multiple_of(64 << 10),
        tokens: Arc::new(gristmill_tokens::BuiltIn),
        shutdown,
    })?)
}

/// `GRISTMILL_CACHE`, else the user's cache folder.
fn cache_folder() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("GRISTMILL_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("gristmill")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/gristmill")))
        .ok_or_else(|| Failure::Setup(anyhow::anyhow!("no folder for compiled stages; set GRISTMILL_CACHE to one")))
}

impl Loader<'_> {
    /// Loads every stage and model of a pipeline.
    ///
    /// # Errors
    /// All faults, each at its place in the pipeline file.
    pub(super) async fn load(self, pipeline: &Pipeline, version: u64) -> Result<Loaded, Failure> {
        let gateway = self.models(pipeline)?;
        let model = gateway.as_ref().map(|gateway| &gateway.model);
        let load = |spec| Box::pin(self.runtime.load(spec));
        let stages = faultless(pipeline, stages(pipeline, model, &load).await, |stage| stage.description())?;
        let described: Vec<Described> = stages.iter().map(WasmStage::described).collect();
        checks::faultless(pipeline, &described)?;
        warnings::log(pipeline, &described);
        let steps = pipeline.stages.iter().zip(stages).enumerate();
        let step = |(index, (stage, loaded)): (usize, (&settings::StageSettings, WasmStage))| {
            let digest = Arc::<str>::from(loaded.digest());
            Step {
                name: stage.name.shared(),
                stage: Arc::new(loaded),
                checkpoint: keeps_outcomes(stage)
                    .then(|| fingerprint::of(&digest, &stage.config, &pipeline.plan.node(index).branches)),
                digest,
                retry: stage.retry,
                waits: if stage.grants == Grants::default() { Waits::Never } else { Waits::Maybe },
            }
        };
        let steps = steps.map(step).collect();
        let models = gateway.map(|gateway| gateway.models);
        let deployment = Deployment::new(version, Arc::clone(&pipeline.plan), steps, models);
        Ok(Loaded { deployment: Arc::new(deployment), described })
    }

    /// Looks at every stage and model of a pipeline, without compiling what would run.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub(super) async fn look(self, pipeline: &Pipeline) -> Result<Vec<Described>, Failure> {
        let gateway = self.models(pipeline)?;
        let model = gateway.as_ref().map(|gateway| &gateway.model);
        let look = |spec| Box::pin(self.runtime.look(spec));
        let described = faultless(pipeline, stages(pipeline, model, &look).await, |described| &described.description)?;
        checks::faultless(pipeline, &described)?;
        Ok(described)
    }

    /// The models of the pipeline, if any stage may ask one; what they answer is kept in the store.
    fn models(&self, pipeline: &Pipeline) -> Result<Option<Gateway>, Failure> {
        let Some(purse) = self.purse.as_ref().filter(|_| pipeline.asks_models()) else { return Ok(None) };
        let models = pipeline.models.iter().map(|(name, alias)| (name.to_string(), alias.clone())).collect();
        let surroundings = Surroundings {
            store: self.stores.jobs.clone(),
            answers: self.stores.answers.clone(),
            counters: self.stores.counters.clone(),
            limits: Arc::clone(self.limits),
            purse: Arc::clone(purse),
            observer: Arc::clone(&self.observer),
        };
        let settings = Settings { models, ..Settings::default() };
        gristmill_llm::build(settings, surroundings).map(Some).map_err(|error| {
            let fault = Fault::at(pipeline.place("/models"), "the models cannot be used").label(format!("{error:#}"));
            Failure::Config(fault.into())
        })
    }
}

/// What came of each stage in its order, or why it cannot be used. Some modules are worked on side by side; the stages of
/// one module one after the other, so that it is read and compiled once.
async fn stages<T, F>(
    pipeline: &Pipeline,
    model: Option<&Arc<dyn Model>>,
    work: &impl Fn(StageSpec) -> F,
) -> Vec<Result<T, LoadError>>
where
    F: Future<Output = Result<T, LoadError>>,
{
    // A standard stage with a grant can be another component than the one without.
    let mut by_module: BTreeMap<(String, bool), Vec<usize>> = BTreeMap::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        by_module.entry((named(&stage.module), stage.grants.llm)).or_default().push(index);
    }
    let by_module: Vec<_> = by_module.into_values().map(|indices| of_module(pipeline, indices, model, work)).collect();
    let done = stream::iter(by_module).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await;
    let mut done: Vec<_> = done.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What came of the stages at these places, which are of one module.
async fn of_module<T, F>(
    pipeline: &Pipeline,
    indices: Vec<usize>,
    model: Option<&Arc<dyn Model>>,
    work: &impl Fn(StageSpec) -> F,
) -> Vec<(usize, Result<T, LoadError>)>
where
    F: Future<Output = Result<T, LoadError>>,
{
    let mut done = Vec::new();
    let mut wasm: Option<Module> = None;
    for index in indices {
        let stage = &pipeline.stages[index];
        let bytes = match wasm.take() {
            Some(bytes) => Ok(bytes),
            None => bytes_of(&stage.module, stage.grants).await,
        };
        let result = match bytes {
            Ok(bytes) => {
                wasm = Some(bytes.clone());
                work(spec(pipeline, index, bytes, model.cloned())).await
            }
            Err(reason) => Err(LoadError { stage: stage.name.to_string(), module: named(&stage.module), reason }),
        };
        done.push((index, result));
    }
    done
}

/// All of them, if none is refused and the file maps no branch that its stage never takes.
fn faultless<T>(
    pipeline: &Pipeline,
    stages: Vec<Result<T, LoadError>>,
    description: impl Fn(&T) -> &Description,
) -> Result<Vec<T>, ConfigError> {
    let (mut fine, mut faults) = (Vec::new(), Vec::new());
    for (index, stage) in stages.into_iter().enumerate() {
        match stage {
            Ok(stage) => {
                faults.extend(undeclared_branches(pipeline, index, description(&stage)));
                fine.push(stage);
            }
            Err(error) => faults.extend(stage_faults(pipeline, index, error)),
        }
    }
    ConfigError::check(faults)?;
    Ok(fine)
}

/// Branches that the file maps and that the stage never takes.
fn undeclared_branches(pipeline: &Pipeline, index: usize, description: &Description) -> Vec<Fault> {
    let node = pipeline.plan.node(index);
    let declared = match description.branches.as_slice() {
        [] => "it declares no branch".to_owned(),
        labels => format!("it declares: {}", labels.join(", ")),
    };
    let unknown = node.branches.keys().filter(|label| !description.branches.contains(label));
    let fault = |label: &String| {
        let place = pipeline.place(&format!("/stage/{index}/branches/{label}"));
        let what = format!("stage {:?}: {} declares no branch {label:?}", &*node.name, description.name);
        Fault::at(place, what).label(declared.clone())
    };
    unknown.map(fault).collect()
}

/// A module as messages call it.
fn named(module: &settings::Module) -> String {
    match module {
        settings::Module::Builtin(name) => format!("builtin:{name}"),
        settings::Module::File(path) => path.display().to_string(),
    }
}

async fn bytes_of(module: &settings::Module, grants: Grants) -> Result<Module, Reason> {
    match module {
        settings::Module::Builtin(name) => match BUILTIN.iter().find(|builtin| builtin.name == name) {
            Some(builtin) => Ok(Module::new(builtin.component(grants))),
            None => Err(Reason::NoSuchBuiltin(BUILTIN.iter().map(|builtin| builtin.name.to_owned()).collect())),
        },
        settings::Module::File(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || Module::read(&path)).await;
            read.unwrap_or_else(|panicked| Err(Reason::Read(std::io::Error::other(panicked).into())))
        }
    }
}

fn spec(pipeline: &Pipeline, index: usize, wasm: Module, model: Option<Arc<dyn Model>>) -> StageSpec {
    let stage = &pipeline.stages[index];
    StageSpec {
        pipeline: pipeline.name.shared(),
        name: stage.name.shared(),
        module: named(&stage.module),
        wasm,
        config: stage.config.clone(),
        routed: pipeline.plan.node(index).branches.keys().cloned().collect(),
        grants: stage.grants,
        limits: stage.limits,
        isolation: stage.isolation,
        model,
    }
}

/// Where in the file the reason lies: in the configuration, in the grants, or at the module.
fn stage_faults(pipeline: &Pipeline, index: usize, error: LoadError) -> Vec<Fault> {
    let LoadError { stage, module, reason } = error;
    let at_module = pipeline.place(&format!("/stage/{index}/module"));
    match reason {
        Reason::Config(faults) => {
            let fault = |fault: ConfigFault| {
                let place = pipeline.place_of(index, &fault.pointer).unwrap_or_else(|| at_module.clone());
                let what = format!("stage {stage:?}: {module} rejects this configuration");
                Fault::at(place, what).label(fault.message)
            };
            faults.into_iter().map(fault).collect()
        }
        Reason::Memory { .. } => {
            let place = pipeline.place(&format!("/stage/{index}/limits/memory"));
            vec![Fault::at(place, format!("stage {stage:?} needs too much memory")).label(reason.to_string())]
        }
        reason => {
            vec![Fault::at(at_module, format!("stage {stage:?}: {module} cannot be used")).label(reason.to_string())]
        }
    }
}
