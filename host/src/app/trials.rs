//! Versions on trial: how a trial ends, by itself or because somebody says so, and who takes note of that.

use std::sync::Arc;
use std::time::Duration;

use gristmill_core::flow::{CanaryEnded, CanaryEnding};
use gristmill_versions::{By, Change, Digest};

use super::activation::{Activated, Place, VersionError, activated, not_running};
use super::host::Host;
use super::running::{OnTrial, Running};
use super::versions::{Noted, StageOf};

impl Host {
    /// Waits for the end of a trial, and notes it if the trial ended by itself.
    pub(super) async fn until_trial_ends(
        self: Arc<Self>,
        place: Place,
        noted: Noted,
        version: u64,
        ending: CanaryEnding,
    ) {
        let Ok(end) = ending.ended().await else { return };
        let (change, reason) = match end.how {
            CanaryEnded::Promoted(reason) => (Change::Serving, reason),
            CanaryEnded::RolledBack(reason) => (Change::Withdrawn, reason),
            // Whoever did that has noted it.
            CanaryEnded::Withdrawn | CanaryEnded::Replaced => return,
        };
        let StageOf { pipeline, stage } = &place.of;
        let is_ours = |trial: &mut OnTrial| trial.serving.deployment.version == version;
        let taken = self.of(pipeline, |running| {
            let trial = running.trial.take_if(is_ours)?;
            running.count_version(place.index, change);
            if change == Change::Serving {
                running.serving = trial.serving;
            }
            Some(())
        });
        if let Ok(Some(())) = taken {
            match change {
                Change::Serving => tracing::info!(%pipeline, %stage, version, "the version on trial serves: {reason}"),
                _ => tracing::error!(%pipeline, %stage, version, "the version on trial was rolled back: {reason}"),
            }
            let noted = Noted { change, by: By::Automatic, reason: Some(reason), ..noted };
            self.options.versions.try_note(&place.of, noted, None).await;
        }
    }

    /// Ends a trial if there is one. Returns whether it was this that ended it.
    pub(super) async fn end_trial(&self, pipeline: &Arc<str>, by: By, why: &str) -> Result<bool, VersionError> {
        loop {
            let on_trial = |running: &mut Running| {
                let trial = running.trial.as_ref()?;
                Some((trial.serving.deployment.version, running.handle.clone()))
            };
            let Some((version, handle)) = self.of(pipeline, on_trial)? else { return Ok(false) };
            if handle.withdraw().await.ok().flatten() == Some(version) {
                let trial = self.of(pipeline, |running| {
                    let trial = running.trial.take()?;
                    running.count_version(trial.index, Change::Withdrawn);
                    Some((running.file.stages[trial.index].name.shared(), trial))
                })?;
                if let Some((stage, OnTrial { serving, index, .. })) = trial
                    && let Some(digest) = Digest::new(&serving.deployment.steps[index].digest)
                {
                    let of = StageOf { pipeline: Arc::clone(pipeline), stage };
                    let (file, reason) = (serving.files[index].clone(), Some(why.to_owned()));
                    let noted = Noted { digest, change: Change::Withdrawn, by, file, reason };
                    self.options.versions.try_note(&of, noted, None).await;
                }
                return Ok(true);
            }
            // It has ended by itself just now. The task that waits for that is about to take note.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The version on trial serves from now on.
    pub(super) async fn promote(&self, place: &Place) -> Result<Activated, VersionError> {
        let Place { of, index, handle } = place;
        let trial = self.of(&of.pipeline, |running| running.trial.take())?;
        let promoted = handle.promote().await.map_err(|ended| not_running(of, ended))?;
        let (Some(trial), Some(version)) = (trial, promoted) else {
            return Err(VersionError::Conflict("the trial has ended by itself in this moment; look again".into()));
        };
        let (digest, file) =
            (Digest::new(&trial.serving.deployment.steps[*index].digest), trial.serving.files[*index].clone());
        self.of(&of.pipeline, |running| {
            running.serving = trial.serving;
            running.count_version(*index, Change::Serving);
        })?;
        let Some(digest) = digest else { return self.serving_version(place).await };
        let noted = Noted { digest: digest.clone(), change: Change::Serving, by: By::Operator, file, reason: None };
        let entry = self.options.versions.note(of, noted, None).await?;
        Ok(activated(&digest, entry.as_ref(), Change::Serving, Some(version)))
    }
}
