//! The stages of a pipeline by their modules: which one each runs, read once, and what came of it.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream;
use gristmill_registry::{Registry, TrustedKey};
use gristmill_versions::{By, Change, Digest};
use gristmill_wasm::{LoadError, Module, Reason, StageSpec};

use super::builtin::BUILTIN;
use super::outside::Outside;
use super::versions::{Noted, StageOf, Versions, digest};
use crate::settings::{self, Pipeline};

/// How many modules are in memory at a time: while one is read or written, another is compiled.
const SIDE_BY_SIDE: usize = 2;

/// Which modules stages run: what their file names, or a version that was activated over it.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) versions: &'a Versions,
    pub(super) unfit: Unfit,
    /// Where modules come from that are in registries.
    pub(super) registry: &'a Registry,
}

/// What becomes of an activated version that cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The file's own module takes its place: the host starts, and there is nothing that could go on instead.
    FallBack,
    /// It is a fault: what runs goes on.
    Refuse,
}

/// What came of a stage.
pub(super) struct Loaded<T> {
    pub(super) value: T,
    /// What its file names, whether it runs that or not.
    pub(super) file: Digest,
}

/// What came of each stage in its order, or why it cannot be used. Some modules are worked on side by side; the stages of
/// one module one after the other, so that it is read and compiled once.
pub(super) async fn stages<T, F>(
    pipeline: &Pipeline,
    outside: &Outside,
    choice: Choice<'_>,
    work: &impl Fn(StageSpec) -> F,
) -> Vec<Result<Loaded<T>, LoadError>>
where
    F: Future<Output = Result<T, LoadError>>,
{
    // A standard stage with a grant can be another component than the one without.
    // And one that has to be signed is looked at for each key.
    let mut by_module: BTreeMap<(String, bool, Option<&Path>), Vec<usize>> = BTreeMap::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let key = stage.signed_by.as_deref();
        by_module.entry((named(&stage.module), stage.grants.llm, key)).or_default().push(index);
    }
    let of_modules = by_module.into_values().map(|indices| of_module(pipeline, indices, outside, choice, work));
    let of_modules: Vec<_> = of_modules.collect();
    let done = stream::iter(of_modules).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await;
    let mut done: Vec<_> = done.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What came of the stages at these places, which are of one module.
async fn of_module<T, F>(
    pipeline: &Pipeline,
    indices: Vec<usize>,
    outside: &Outside,
    choice: Choice<'_>,
    work: &impl Fn(StageSpec) -> F,
) -> Vec<(usize, Result<Loaded<T>, LoadError>)>
where
    F: Future<Output = Result<T, LoadError>>,
{
    let mut done = Vec::new();
    let mut wasm: Option<Module> = None;
    for index in indices {
        let stage = &pipeline.stages[index];
        let bytes = match wasm.take() {
            Some(bytes) => Ok(bytes),
            None => bytes_of(stage, choice.registry).await,
        };
        let result = match bytes {
            Ok(bytes) => {
                wasm = Some(bytes.clone());
                let place = Place { pipeline, index, outside };
                of_stage(place, bytes, choice, work).await
            }
            Err(reason) => Err(LoadError { stage: stage.name.to_string(), module: named(&stage.module), reason }),
        };
        done.push((index, result));
    }
    done
}

/// A stage of a pipeline, with what it may reach.
#[derive(Clone, Copy)]
struct Place<'a> {
    pipeline: &'a Pipeline,
    index: usize,
    outside: &'a Outside,
}

/// What came of a stage whose file names this module.
async fn of_stage<T, F>(
    place: Place<'_>,
    file: Module,
    choice: Choice<'_>,
    work: &impl Fn(StageSpec) -> F,
) -> Result<Loaded<T>, LoadError>
where
    F: Future<Output = Result<T, LoadError>>,
{
    let Choice { versions, unfit, .. } = choice;
    let Place { pipeline, index, outside } = place;
    let stage = &pipeline.stages[index];
    let of = StageOf { pipeline: pipeline.name.shared(), stage: stage.name.shared() };
    let named = digest(&file);
    if let Some(version) = versions.choose(&of, &file).await {
        match work(outside.give(pipeline, index, version_spec(pipeline, index, version.clone()))).await {
            Ok(value) => return Ok(Loaded { value, file: named }),
            Err(error) if unfit == Unfit::FallBack => {
                let (pipeline, stage, reason) = (&of.pipeline, &of.stage, error.reason.to_string());
                tracing::error!(%pipeline, %stage, "the activated version does not load, the file's own serves: {reason}");
                let (digest, reason) = (digest(&version), Some(reason));
                let refused = Noted { digest, change: Change::Refused, by: By::Automatic, file: named.clone(), reason };
                versions.try_note(&of, refused, None).await;
            }
            Err(error) => return Err(error),
        }
    }
    let value = work(outside.give(pipeline, index, spec(pipeline, index, file.clone()))).await?;
    if let settings::Module::File(_) | settings::Module::Registry(_) = stage.module {
        versions.loaded(&of, &file, &named).await;
    }
    Ok(Loaded { value, file: named })
}

/// A stage that reaches nothing, of another module than its file names.
pub(super) fn version_spec(pipeline: &Pipeline, index: usize, wasm: Module) -> StageSpec {
    let module = format!("version {}", digest(&wasm).short());
    StageSpec { module, ..spec(pipeline, index, wasm) }
}

/// A module as messages call it.
pub(super) fn named(module: &settings::Module) -> String {
    match module {
        settings::Module::Builtin(name) => format!("builtin:{name}"),
        settings::Module::File(path) => path.display().to_string(),
        settings::Module::Registry(reference) => reference.to_string(),
    }
}

/// The module that a file names for a stage.
pub(super) async fn bytes_of(stage: &settings::StageSettings, registry: &Registry) -> Result<Module, Reason> {
    match &stage.module {
        settings::Module::Builtin(name) => match BUILTIN.iter().find(|builtin| builtin.name == name) {
            Some(builtin) => Ok(Module::new(builtin.component(stage.grants.imports()))),
            None => Err(Reason::NoSuchBuiltin(BUILTIN.iter().map(|builtin| builtin.name.to_owned()).collect())),
        },
        settings::Module::File(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || Module::read(&path)).await;
            read.unwrap_or_else(|panicked| Err(Reason::Read(std::io::Error::other(panicked).into())))
        }
        settings::Module::Registry(reference) => {
            let refused = |error| Reason::Refused(format!("{:#}", anyhow::Error::new(error)));
            let key = match stage.signed_by.clone() {
                Some(path) => {
                    let read = tokio::task::spawn_blocking(move || TrustedKey::read(&path)).await;
                    Some(
                        read.map_err(|panicked| Reason::Read(std::io::Error::other(panicked).into()))?
                            .map_err(refused)?,
                    )
                }
                None => None,
            };
            registry.component(reference, key.as_ref()).await.map(Module::new).map_err(refused)
        }
    }
}

/// A stage that reaches nothing.
pub(super) fn spec(pipeline: &Pipeline, index: usize, wasm: Module) -> StageSpec {
    let stage = &pipeline.stages[index];
    StageSpec {
        pipeline: pipeline.name.shared(),
        name: stage.name.shared(),
        module: named(&stage.module),
        wasm,
        config: stage.config.clone(),
        routed: pipeline.plan.node(index).branches.keys().cloned().collect(),
        grants: stage.grants.imports(),
        limits: stage.limits,
        isolation: stage.isolation,
        model: None,
        http: None,
        state: None,
        metrics: None,
    }
}
