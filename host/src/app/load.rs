//! From the settings of stages and models to things that run; everything wrong with them is reported at once, in its place.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use gristmill_config::{ConfigError, Fault};
use gristmill_core::flow::{Deployment, Step, Waits};
use gristmill_core::ports::Observer;
use gristmill_llm::settings::Settings;
use gristmill_llm::{Gateway, Limits, Purse, Surroundings};
use gristmill_versions::Digest;
use gristmill_wasm::{
    Compiler, ConfigFault, Described, Description, LoadError, Module, Reason, Runtime, RuntimeSettings, WasmStage,
};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::outside::Outside;
use super::stages::{self, Choice, stages, version_spec};
use super::store::{Stores, keeps_outcomes};
use super::{checks, fingerprint, warnings};
use crate::settings::{HostLimits, Pipeline};

/// The stages and models of a pipeline, ready to run.
pub struct Loaded {
    /// What the flow runs.
    pub deployment: Arc<Deployment>,
    /// What was found out about each stage.
    pub described: Vec<Described>,
    /// The module that the file names for each stage, whether it runs that or a version over it.
    pub(super) files: Vec<Digest>,
    /// What the stages reach, for one that takes the place of another.
    pub(super) outside: Arc<Outside>,
}

/// What the stages and models of a pipeline are loaded with.
pub(super) struct Loader<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) limits: &'a Arc<Limits>,
    pub(super) stores: Stores,
    /// What the models may cost. `None` if no stage may ask one.
    pub(super) purse: Option<Arc<Purse>>,
    pub(super) observer: Arc<dyn Observer>,
    /// Which modules the stages run.
    pub(super) choice: Choice<'a>,
}

/// A stage that takes the place of another one in a pipeline that runs.
pub(super) struct Replacement<'a> {
    pub(super) pipeline: &'a Pipeline,
    /// Which stage.
    pub(super) index: usize,
    pub(super) wasm: Module,
    pub(super) outside: &'a Outside,
    /// What is known of all stages so far.
    pub(super) described: &'a [Described],
}

/// The engine of a process that runs these pipelines: its instances are bounded in sum.
pub(super) fn runtime(
    pipelines: &[Pipeline],
    bounds: HostLimits,
    compiler: Compiler,
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
        compiler,
    })?)
}

/// `GRISTMILL_CACHE`, else the user's cache folder.
pub(super) fn cache_folder() -> Result<PathBuf, Failure> {
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
        let outside = self.outside(pipeline, gateway.as_ref())?;
        let load = |spec| Box::pin(self.runtime.load(spec));
        let stages = stages(pipeline, &outside, self.choice, &load).await;
        let stages = faultless(pipeline, stages, |stage| stage.value.description())?;
        let described: Vec<Described> = stages.iter().map(|stage| stage.value.described()).collect();
        checks::faultless(pipeline, &described)?;
        warnings::log(pipeline, &described);
        let (mut steps, mut files) = (Vec::new(), Vec::new());
        for (index, stages::Loaded { value, file }) in stages.into_iter().enumerate() {
            steps.push(step(pipeline, index, value));
            files.push(file);
        }
        let models = gateway.map(|gateway| gateway.models);
        let deployment = Arc::new(Deployment::new(version, Arc::clone(&pipeline.plan), steps, models));
        Ok(Loaded { deployment, described, files, outside: Arc::new(outside) })
    }

    /// Loads a stage that takes the place of another one, and returns it with what is known of all stages then.
    ///
    /// # Errors
    /// All faults of it, and of its neighbours beside it.
    pub(super) async fn replace(
        runtime: &Runtime,
        replacement: Replacement<'_>,
    ) -> Result<(Step, Vec<Described>), Failure> {
        let Replacement { pipeline, index, wasm, outside, described } = replacement;
        let spec = outside.give(pipeline, index, version_spec(pipeline, index, wasm));
        let stage = match Box::pin(runtime.load(spec)).await {
            Ok(stage) => stage,
            Err(error) => {
                return Err(ConfigError::check(stage_faults(pipeline, index, error))
                    .map_or_else(Failure::from, |()| Failure::Running(anyhow::anyhow!("the stage cannot be loaded"))));
            }
        };
        ConfigError::check(undeclared_branches(pipeline, index, stage.description()))?;
        let mut described = described.to_vec();
        if let Some(place) = described.get_mut(index) {
            *place = stage.described();
        }
        checks::faultless(pipeline, &described)?;
        Ok((step(pipeline, index, stage), described))
    }

    /// Looks at every stage and model of a pipeline, without compiling what would run.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub(super) async fn look(self, pipeline: &Pipeline) -> Result<Vec<Described>, Failure> {
        let gateway = self.models(pipeline)?;
        let outside = self.outside(pipeline, gateway.as_ref())?;
        let look = |spec| Box::pin(self.runtime.look(spec));
        let looked = stages(pipeline, &outside, self.choice, &look).await;
        let looked = faultless(pipeline, looked, |looked| &looked.value.description)?;
        let described: Vec<Described> = looked.into_iter().map(|looked| looked.value).collect();
        checks::faultless(pipeline, &described)?;
        Ok(described)
    }

    /// What the stages reach outside.
    fn outside(&self, pipeline: &Pipeline, gateway: Option<&Gateway>) -> Result<Outside, Failure> {
        Outside::new(pipeline, gateway.map(|gateway| &gateway.model), &self.stores, &self.observer)
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

/// A loaded stage in its place.
fn step(pipeline: &Pipeline, index: usize, loaded: WasmStage) -> Step {
    let stage = &pipeline.stages[index];
    let digest = Arc::<str>::from(loaded.digest());
    Step {
        name: stage.name.shared(),
        stage: Arc::new(loaded),
        checkpoint: keeps_outcomes(stage)
            .then(|| fingerprint::of(&digest, &stage.config, &pipeline.plan.node(index).branches)),
        digest,
        retry: stage.retry,
        waits: if stage.grants.waits() { Waits::Maybe } else { Waits::Never },
    }
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
