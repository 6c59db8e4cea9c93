//! Which version of a stage serves: from a file that changed, sent, chosen or taken back, while its pipeline runs. A version
//! that fails any step leaves the one that serves where it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::flow::{Canary, Deployment, Handle, NotRunning};
use gristmill_core::model::{CanaryTerms, Promotion, Share};
use gristmill_versions::{By, Change, Digest, Entry, Found};
use gristmill_wasm::Module;

use super::failure::Failure;
use super::host::Host;
use super::load::{Loader, Replacement};
use super::running::{OnTrial, Serving};
use super::stages::bytes_of;
use super::versions::{Noted, StageOf, digest};

/// How a version is taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is tried out and kept.
    Keep,
    /// New jobs run it.
    Now,
    /// A share of the new jobs runs it, until it is better known.
    Canary {
        /// The share.
        share: Share,
        /// After how long it serves alone if it is not worse. `None`: an operator decides.
        promote_after: Option<Duration>,
    },
}

/// What came of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// Its number.
    pub version: u64,
    /// Its module.
    pub digest: Digest,
    /// What it does now.
    pub change: Change,
    /// The version of the deployment with it. `None` if no job runs it.
    pub deployment: Option<u64>,
}

/// Why a version was not taken on.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// There is no such stage or version.
    #[error("{0}")]
    NotFound(String),
    /// Not now, or not here.
    #[error("{0}")]
    Conflict(String),
    /// It failed a step; what served before goes on.
    #[error("{}", .0.lines())]
    Unfit(Failure),
    /// The host could not do it.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// A stage of a pipeline that runs.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) of: StageOf,
    pub(super) index: usize,
    pub(super) handle: Handle,
}

/// A module that is to be a version.
pub(super) struct Candidate {
    pub(super) wasm: Module,
    pub(super) by: By,
    /// What the pipeline file names.
    pub(super) file: Digest,
}

impl Host {
    /// Takes a module as a version of a stage, whatever the pipeline's file names. May be dropped; then what is under way
    /// may or may not come to its end.
    ///
    /// # Errors
    /// See [`VersionError`]; so below.
    pub async fn push(
        self: &Arc<Self>,
        pipeline: &str,
        stage: &str,
        wasm: Bytes,
        how: How,
    ) -> Result<Activated, VersionError> {
        let _changing = self.changing.lock().await;
        let place = self.place(pipeline, stage)?;
        if !self.options.versions.are_kept() {
            return Err(VersionError::Conflict(
                "this host keeps no versions of stages, and its log says why: set `folder` under [versions]".into(),
            ));
        }
        let wasm = tokio::task::spawn_blocking(move || Module::new(wasm)).await;
        let wasm = wasm.map_err(|broke| Failure::Running(broke.into()))?;
        let file = self.file_of(&place)?;
        self.take_on(&place, Candidate { wasm, by: By::Push, file }, how).await
    }

    /// Lets a version that the host knows serve, by its number or the first digits of its digest.
    pub async fn activate(
        self: &Arc<Self>,
        pipeline: &str,
        stage: &str,
        version: &str,
        how: How,
    ) -> Result<Activated, VersionError> {
        let _changing = self.changing.lock().await;
        let place = self.place(pipeline, stage)?;
        let standing = self.options.versions.standing(&place.of).await?;
        let wanted = match standing.find(version) {
            Found::One(version) => version.digest.clone(),
            Found::Several => {
                let what = format!("more than one digest begins with {version:?}; write more of its digits");
                return Err(VersionError::NotFound(what));
            }
            Found::None => {
                let what =
                    format!("{stage} of {pipeline} has no version {version:?}; `gristmill stage list` shows them");
                return Err(VersionError::NotFound(what));
            }
        };
        if how == How::Now && self.is_on_trial(&place, &wanted)? {
            return self.promote(&place).await;
        }
        let candidate = self.known(&place, &wanted, By::Operator).await?;
        self.take_on(&place, candidate, how).await
    }

    /// Lets the version serve that served before; if a version is on trial, ends that instead.
    pub async fn rollback(self: &Arc<Self>, pipeline: &str, stage: &str) -> Result<Activated, VersionError> {
        let _changing = self.changing.lock().await;
        let place = self.place(pipeline, stage)?;
        let is_tried =
            self.of(pipeline, |running| running.trial.as_ref().is_some_and(|trial| trial.index == place.index))?;
        if is_tried && self.end_trial(&place.of.pipeline, By::Rollback, "an operator took it back").await? {
            return self.serving_version(&place).await;
        }
        let standing = self.options.versions.standing(&place.of).await?;
        let Some(before) = standing.before().cloned() else {
            let what = format!("no other version of {stage} has served before, as far as this host knows");
            return Err(VersionError::Conflict(what));
        };
        let candidate = self.known(&place, &before, By::Rollback).await?;
        self.take_on(&place, candidate, How::Now).await
    }

    /// Loads a module in the place of a stage, and lets it serve as it is told to.
    pub(super) async fn take_on(
        self: &Arc<Self>,
        place: &Place,
        candidate: Candidate,
        how: How,
    ) -> Result<Activated, VersionError> {
        let Place { of, index, handle } = place;
        let versions = &self.options.versions;
        let Candidate { wasm, by, file } = candidate;
        let digest = digest(&wasm);
        let (settings, serving, outside) = self.of(&of.pipeline, |running| {
            (running.file.clone(), running.serving.clone(), Arc::clone(&running.outside))
        })?;
        let serves =
            |serving: &Serving| *serving.deployment.steps[*index].digest == *digest && serving.files[*index] == file;
        if how == How::Now && serves(&serving) && !self.is_tried(&of.pipeline)? {
            return self.serving_version(place).await;
        }
        if matches!(how, How::Canary { .. }) && *serving.deployment.steps[*index].digest == *digest {
            return Err(VersionError::Conflict(format!("the module {} serves already", digest.short())));
        }
        let replacement = Replacement {
            pipeline: &settings,
            index: *index,
            wasm: wasm.clone(),
            outside: &outside,
            described: &serving.described,
        };
        let noted = |change, reason| Noted { digest: digest.clone(), change, by, file: file.clone(), reason };
        let (step, described) = match Box::pin(Loader::replace(&self.runtime, replacement)).await {
            Ok(loaded) => loaded,
            Err(failure) => {
                versions.try_note(of, noted(Change::Refused, Some(failure.lines())), None).await;
                self.of(&of.pipeline, |running| running.count_version(*index, Change::Refused))?;
                return Err(VersionError::Unfit(failure));
            }
        };
        if how == How::Keep {
            let entry = versions.note(of, noted(Change::Ready, None), Some(&wasm)).await?;
            return Ok(activated(&digest, entry.as_ref(), Change::Ready, None));
        }
        // Its deployment is made of what serves then, and not of what a trial brings in the middle of it.
        self.end_trial(&of.pipeline, By::Automatic, "another version took its place").await?;
        let change = if how == How::Now { Change::Serving } else { Change::Canary };
        let entry = match by {
            // What is on disk serves, whether it can be noted or not.
            By::File => versions.note(of, noted(change, None), Some(&wasm)).await.unwrap_or_else(|failure| {
                tracing::error!(pipeline = %of.pipeline, stage = %of.stage, "the history has a gap: {failure}");
                None
            }),
            _ => versions.note(of, noted(change, None), Some(&wasm)).await?,
        };
        let next = self.of(&of.pipeline, |running| {
            let mut steps = running.serving.deployment.steps.clone();
            steps[*index] = step;
            let Deployment { plan, models, .. } = &*running.serving.deployment;
            let (plan, models) = (Arc::clone(plan), models.clone());
            let mut files = running.serving.files.clone();
            files[*index].clone_from(&file);
            let deployment = Arc::new(Deployment::new(running.next(), plan, steps, models));
            Serving { deployment, described, files }
        })?;
        let version = next.deployment.version;
        match how {
            How::Keep | How::Now => {
                handle.swap(Arc::clone(&next.deployment)).await.map_err(|ended| not_running(of, ended))?;
                self.of(&of.pipeline, |running| running.serving = next)?;
            }
            How::Canary { share, promote_after } => {
                let terms = CanaryTerms::default();
                let promote = promote_after.map(|after| Promotion { jobs: terms.min_jobs.into(), after });
                let deployment = Arc::clone(&next.deployment);
                let canary = Canary { deployment, share, terms: CanaryTerms { promote, ..terms } };
                let ending = handle.canary(canary).await.map_err(|ended| not_running(of, ended))?;
                self.of(&of.pipeline, |running| running.trial = Some(OnTrial { serving: next, index: *index, share }))?;
                tokio::spawn(Arc::clone(self).until_trial_ends(
                    place.clone(),
                    noted(Change::Canary, None),
                    version,
                    ending,
                ));
            }
        }
        self.of(&of.pipeline, |running| running.count_version(*index, change))?;
        Ok(activated(&digest, entry.as_ref(), change, Some(version)))
    }

    /// The version that serves.
    pub(super) async fn serving_version(&self, place: &Place) -> Result<Activated, VersionError> {
        let (text, deployment) = self.of(&place.of.pipeline, |running| {
            let deployment = &running.serving.deployment;
            (Arc::clone(&deployment.steps[place.index].digest), deployment.version)
        })?;
        let digest = Digest::new(&text).unwrap_or_else(|| Digest::of(text.as_bytes()));
        let standing = self.options.versions.standing(&place.of).await?;
        let version = standing.version(&digest).map_or(0, |version| version.number);
        Ok(Activated { version, digest, change: Change::Serving, deployment: Some(deployment) })
    }

    /// The module of a version that the host knows.
    async fn known(&self, place: &Place, wanted: &Digest, by: By) -> Result<Candidate, VersionError> {
        let file = self.file_of(place)?;
        if *wanted == file {
            let stage = self.of(&place.of.pipeline, |running| running.file.stages[place.index].clone())?;
            match bytes_of(&stage, &self.options.registry).await {
                Ok(wasm) if digest(&wasm) == file => return Ok(Candidate { wasm, by, file }),
                _ => {}
            }
        }
        match self.options.versions.module(wanted).await? {
            Some(wasm) => Ok(Candidate { wasm, by, file }),
            None => Err(VersionError::Conflict(format!(
                "the module {} is not kept any more; send it again",
                wanted.short()
            ))),
        }
    }

    fn place(&self, pipeline: &str, stage: &str) -> Result<Place, VersionError> {
        let found = self.of(pipeline, |running| {
            let index = running.file.stages.iter().position(|known| *known.name == *stage);
            let stages =
                || running.file.stages.iter().map(|stage| stage.name.to_string()).collect::<Vec<_>>().join(", ");
            match index {
                Some(index) => Ok((
                    running.file.name.shared(),
                    running.file.stages[index].name.shared(),
                    index,
                    running.handle.clone(),
                )),
                None => Err(VersionError::NotFound(format!("{pipeline} has no stage {stage:?}; it has {}", stages()))),
            }
        });
        let (pipeline, stage, index, handle) = found??;
        Ok(Place { of: StageOf { pipeline, stage }, index, handle })
    }

    /// What the pipeline file named when its module was last taken.
    pub(super) fn file_of(&self, place: &Place) -> Result<Digest, Failure> {
        self.of(&place.of.pipeline, |running| running.serving.files[place.index].clone())
    }

    fn is_tried(&self, pipeline: &str) -> Result<bool, Failure> {
        self.of(pipeline, |running| running.trial.is_some())
    }

    fn is_on_trial(&self, place: &Place, wanted: &Digest) -> Result<bool, Failure> {
        self.of(&place.of.pipeline, |running| {
            let is_it = |trial: &OnTrial| *trial.serving.deployment.steps[place.index].digest == **wanted;
            running.trial.as_ref().is_some_and(|trial| trial.index == place.index && is_it(trial))
        })
    }
}

pub(super) fn activated(digest: &Digest, entry: Option<&Entry>, change: Change, deployment: Option<u64>) -> Activated {
    Activated { version: entry.map_or(0, |entry| entry.version), digest: digest.clone(), change, deployment }
}

pub(super) fn not_running(of: &StageOf, ended: NotRunning) -> Failure {
    Failure::Running(anyhow::Error::new(ended).context(format!("the pipeline {}", of.pipeline)))
}
