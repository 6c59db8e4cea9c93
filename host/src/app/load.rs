//! From the settings of stages and models to things that run; everything wrong with them is reported at once, in its place.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use gristmill_config::{ConfigError, Fault};
use gristmill_core::flow::{Deployment, Step, Waits};
use gristmill_core::ports::{Model, Observer};
use gristmill_llm::settings::Settings;
use gristmill_llm::{Gateway, Limits, Purse, Surroundings};
use gristmill_wasm::{
    ConfigFault, Description, Grants, LoadError, Module, Reason, Runtime, RuntimeSettings, StageSpec, Start, WasmStage,
};
use tokio_util::sync::CancellationToken;

use super::builtin::BUILTIN;
use super::failure::Failure;
use super::store::{Stores, keeps_outcomes};
use super::{fingerprint, warnings};
use crate::settings::{self, HostLimits, Pipeline};

/// The stages and models of a pipeline, ready to run.
pub struct Loaded {
    /// What the flow runs.
    pub deployment: Arc<Deployment>,
    /// What was found out about each stage.
    pub described: Vec<Described>,
}

/// What was found out about a stage.
pub struct Described {
    /// What it says of itself.
    pub description: Description,
    /// SHA-256 of its module, in hexadecimal.
    pub digest: Arc<str>,
    /// How its instances begin.
    pub start: Start,
}

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
    /// Loads every stage and model of a pipeline, one stage after the other: at most one module is in memory at a time.
    ///
    /// # Errors
    /// All faults, each at its place in the pipeline file.
    pub(super) async fn load(self, pipeline: &Pipeline, version: u64) -> Result<Loaded, Failure> {
        let gateway = self.models(pipeline)?;
        let model = gateway.as_ref().map(|gateway| &gateway.model);
        let (mut steps, mut described, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (stage, loaded)) in pipeline.stages.iter().zip(self.stages(pipeline, model).await).enumerate() {
            match loaded {
                Ok(loaded) => {
                    faults.extend(undeclared_branches(pipeline, index, loaded.description()));
                    let digest = Arc::<str>::from(loaded.digest());
                    described.push(Described {
                        description: loaded.description().clone(),
                        digest: Arc::clone(&digest),
                        start: loaded.start().clone(),
                    });
                    steps.push(Step {
                        name: stage.name.shared(),
                        stage: Arc::new(loaded),
                        checkpoint: keeps_outcomes(stage)
                            .then(|| fingerprint::of(&digest, &stage.config, &pipeline.plan.node(index).branches)),
                        digest,
                        retry: stage.retry,
                        waits: if stage.grants == Grants::default() { Waits::Never } else { Waits::Maybe },
                    });
                }
                Err(error) => faults.extend(stage_faults(pipeline, index, error)),
            }
        }
        ConfigError::check(faults)?;
        warnings::log(pipeline);
        let models = gateway.map(|gateway| gateway.models);
        let deployment = Deployment { version, plan: Arc::clone(&pipeline.plan), steps, models };
        Ok(Loaded { deployment: Arc::new(deployment), described })
    }

    /// The stages in their order, or why they cannot be loaded. Those of one module are loaded together, so that it is read
    /// and compiled once.
    async fn stages(&self, pipeline: &Pipeline, model: Option<&Arc<dyn Model>>) -> Vec<Result<WasmStage, LoadError>> {
        // A standard stage with a grant can be another component than the one without.
        let mut by_module: BTreeMap<(String, bool), Vec<usize>> = BTreeMap::new();
        for (index, stage) in pipeline.stages.iter().enumerate() {
            by_module.entry((named(&stage.module), stage.grants.llm)).or_default().push(index);
        }
        let mut loaded = Vec::new();
        for ((module, _), indices) in by_module {
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
                        Box::pin(self.runtime.load(spec(pipeline, index, bytes, model.cloned()))).await
                    }
                    Err(reason) => Err(LoadError { stage: stage.name.to_string(), module: module.clone(), reason }),
                };
                loaded.push((index, result));
            }
        }
        loaded.sort_by_key(|(index, _)| *index);
        loaded.into_iter().map(|(_, result)| result).collect()
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
