//! What the admin server asks about the versions of stages.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use gristmill_admin::{
    Activate, History, HistoryEntry, Pushed, Refused, StageVersions, Trial, VersionChange, VersionDone, VersionList,
    VersionState, VersionView, Versions,
};
use gristmill_versions::{By, Change, Digest, Entry, Standing, State, Version};

use super::{Desk, find, refused};
use crate::app::activation::{Activated, How, VersionError};
use crate::app::failure::Failure;
use crate::app::host::Host;
use crate::app::stages::named;
use crate::app::versions::StageOf;

/// A stage of a pipeline that runs, as it is asked for.
struct Stage {
    of: StageOf,
    module: String,
    /// What its file names.
    file: Digest,
    /// What serves.
    serving: Digest,
    /// What is on trial, and for which share.
    trial: Option<(Digest, String)>,
}

#[async_trait]
impl Versions for Desk {
    async fn versions(&self, pipeline: &str, stage: Option<&str>) -> Result<VersionList, Refused> {
        let host = self.host()?;
        let mut stages = Vec::new();
        for known in stages_of(host, pipeline)? {
            if stage.is_none_or(|stage| *known.of.stage == *stage) {
                stages.push(versions_of(host, known).await.map_err(refused)?);
            }
        }
        if stages.is_empty() {
            return Err(no_stage(pipeline, stage.unwrap_or_default()));
        }
        Ok(VersionList { pipeline: pipeline.to_owned(), stages })
    }

    async fn history(&self, pipeline: &str, stage: &str) -> Result<History, Refused> {
        let host = self.host()?;
        let known = stages_of(host, pipeline)?.into_iter().find(|known| *known.of.stage == *stage);
        let known = known.ok_or_else(|| no_stage(pipeline, stage))?;
        let entries = host.options.versions.history(&known.of).await.map_err(refused)?;
        let entries = entries.into_iter().map(entry).collect();
        Ok(History { pipeline: pipeline.to_owned(), stage: stage.to_owned(), entries })
    }

    async fn push(&self, pipeline: &str, stage: &str, pushed: Pushed) -> Result<VersionDone, Refused> {
        let host = self.host()?;
        find(host, pipeline)?;
        let (host, pipeline, stage) = (Arc::clone(host), pipeline.to_owned(), stage.to_owned());
        // In a task of its own: who asked for it may leave.
        let work = tokio::spawn(async move {
            let pushed = host.push(&pipeline, &stage, pushed.wasm, how(pushed.activate)).await;
            pushed.map(|activated| done(pipeline, stage, activated))
        });
        ended(work.await)
    }

    async fn change(&self, pipeline: &str, stage: &str, change: VersionChange) -> Result<VersionDone, Refused> {
        let host = self.host()?;
        find(host, pipeline)?;
        let (host, pipeline, stage) = (Arc::clone(host), pipeline.to_owned(), stage.to_owned());
        let work = tokio::spawn(async move {
            let changed = match change {
                VersionChange::Activate { version, activate } => {
                    host.activate(&pipeline, &stage, &version, how(activate)).await
                }
                VersionChange::Rollback => host.rollback(&pipeline, &stage).await,
            };
            changed.map(|activated| done(pipeline, stage, activated))
        });
        ended(work.await)
    }
}

fn ended(work: Result<Result<VersionDone, VersionError>, tokio::task::JoinError>) -> Result<VersionDone, Refused> {
    match work {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(match error {
            VersionError::NotFound(what) => Refused::NotFound(what),
            VersionError::Conflict(what) => Refused::Conflict(what),
            VersionError::Unfit(failure @ Failure::Config(_)) => Refused::Faulty(failure.lines()),
            VersionError::Unfit(failure) | VersionError::Failed(failure) => refused(failure),
        }),
        Err(panicked) => Err(Refused::Failed(format!("the change broke: {panicked}"))),
    }
}

fn stages_of(host: &Host, pipeline: &str) -> Result<Vec<Stage>, Refused> {
    find(host, pipeline)?;
    let stages = host.of(pipeline, |running| {
        let serving = &running.serving;
        let stage = |(index, stage): (usize, &crate::settings::StageSettings)| {
            let file = serving.files[index].clone();
            let trial = running.trial.as_ref().filter(|trial| trial.index == index);
            let digest = |text: &str| Digest::new(text).unwrap_or_else(|| file.clone());
            Stage {
                of: StageOf { pipeline: running.file.name.shared(), stage: stage.name.shared() },
                module: named(&stage.module),
                serving: digest(&serving.deployment.steps[index].digest),
                trial: trial
                    .map(|trial| (digest(&trial.serving.deployment.steps[index].digest), trial.share.to_string())),
                file,
            }
        };
        running.file.stages.iter().enumerate().map(stage).collect()
    });
    stages.map_err(refused)
}

/// What the history says of a stage; what runs has the last word on which version serves.
async fn versions_of(host: &Host, stage: Stage) -> Result<StageVersions, Failure> {
    let Standing { versions, .. } = &host.options.versions.standing(&stage.of).await?;
    let kept = host.options.versions.kept(versions.iter().map(|version| version.digest.clone()).collect()).await;
    let mut views: Vec<VersionView> =
        versions.iter().zip(kept).map(|(version, kept)| view(version, &stage, kept)).collect();
    if !versions.iter().any(|version| version.digest == stage.serving) {
        let (digest, file) = (stage.serving.to_string(), stage.serving == stage.file);
        views.push(VersionView { digest, state: VersionState::Serving, file, kept: file, ..VersionView::default() });
    }
    Ok(StageVersions { stage: stage.of.stage.to_string(), module: stage.module, versions: views })
}

fn view(version: &Version, stage: &Stage, kept: bool) -> VersionView {
    let share = stage.trial.as_ref().filter(|(digest, _)| *digest == version.digest).map(|(_, share)| share.clone());
    let state = match version.state {
        _ if version.digest == stage.serving => VersionState::Serving,
        _ if share.is_some() => VersionState::Canary,
        State::Ready => VersionState::Ready,
        State::Serving | State::Canary | State::Retired => VersionState::Retired,
        State::Refused => VersionState::Refused,
    };
    let file = version.digest == stage.file;
    VersionView {
        version: version.number,
        digest: version.digest.to_string(),
        state,
        by: version.by.to_string(),
        since: time(version.since),
        file,
        kept: kept || file,
        share,
        reason: version.reason.clone(),
    }
}

fn entry(entry: Entry) -> HistoryEntry {
    let Entry { at, version, digest, change, by, file: _, reason } = entry;
    let (change, by): (Change, By) = (change, by);
    HistoryEntry {
        at: time(at),
        version,
        digest: digest.to_string(),
        change: change.to_string(),
        by: by.to_string(),
        reason,
    }
}

fn done(pipeline: String, stage: String, activated: Activated) -> VersionDone {
    let Activated { version, digest, change, deployment } = activated;
    let state = match change {
        Change::Ready => VersionState::Ready,
        Change::Serving => VersionState::Serving,
        Change::Canary => VersionState::Canary,
        Change::Withdrawn => VersionState::Retired,
        Change::Refused => VersionState::Refused,
    };
    VersionDone { pipeline, stage, version, digest: digest.to_string(), state, deployment }
}

fn how(activate: Activate) -> How {
    match activate {
        Activate::No => How::Keep,
        Activate::Now => How::Now,
        Activate::Canary(Trial { share, promote_after }) => How::Canary { share, promote_after },
    }
}

fn no_stage(pipeline: &str, stage: &str) -> Refused {
    Refused::NotFound(format!("{pipeline} has no stage {stage:?}; GET /v1/pipelines/{pipeline} lists them"))
}

/// A moment by RFC 3339.
fn time(millis: u64) -> String {
    let at: SystemTime = UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_millis(at).to_string()
}
