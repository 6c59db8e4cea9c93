//! What is on disk and what runs: modules that changed are taken on, and what is not is told to those who ask.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use gristmill_versions::{By, Change, Digest};

use super::activation::{Candidate, How, Place};
use super::failure::Failure;
use super::host::Host;
use super::observers::Watched;
use super::running::{Refusal, Refused, Serving};
use super::stages::bytes_of;
use super::versions::{Noted, StageOf, digest};
use crate::settings::{self, Pipeline};

impl Host {
    /// Takes on the modules of a pipeline whose files hold something else than what was last taken from them. What is refused
    /// is logged and not tried again before it changes.
    ///
    /// # Errors
    /// The pipeline does not run.
    pub async fn refresh(self: &Arc<Self>, pipeline: &str) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let file: Pipeline = self.of(pipeline, |running| running.file.clone())?;
        for (index, stage) in file.stages.iter().enumerate() {
            let settings::Module::File(_) = stage.module else { continue };
            let of = StageOf { pipeline: file.name.shared(), stage: stage.name.shared() };
            let place = Place { of, index, handle: self.of(pipeline, |running| running.handle.clone())? };
            self.refresh_stage(&place, stage).await?;
        }
        Ok(())
    }

    async fn refresh_stage(self: &Arc<Self>, place: &Place, stage: &settings::StageSettings) -> Result<(), Failure> {
        let StageOf { pipeline, stage: name } = &place.of;
        let refused = Refused::Stage(Arc::clone(pipeline), Arc::clone(name));
        let wasm = match bytes_of(stage, &self.options.registry).await {
            Ok(wasm) => wasm,
            Err(reason) => {
                let why = format!("its module {reason}");
                tracing::error!(%pipeline, stage = %name, "not taken on, what served before goes on: {why}");
                self.running().refused.insert(refused, Refusal { why, digest: None });
                return Ok(());
            }
        };
        let new = digest(&wasm);
        if self.file_of(place)? == new {
            self.running().refused.remove(&refused);
            return Ok(());
        }
        if self.running().refused.get(&refused).is_some_and(|refusal| refusal.digest.as_ref() == Some(&new)) {
            return Ok(());
        }
        let candidate = Candidate { wasm, by: By::File, file: new.clone() };
        match self.take_on(place, candidate, How::Now).await {
            Ok(activated) => {
                let (version, deployment) = (activated.version, activated.deployment);
                tracing::info!(%pipeline, stage = %name, version, deployment, digest = new.short(), "its changed module serves");
                self.running().refused.remove(&refused);
            }
            Err(error) => {
                let why = error.to_string();
                tracing::error!(%pipeline, stage = %name, digest = new.short(), "not taken on, what served before goes on: {why}");
                self.running().refused.insert(refused, Refusal { why, digest: Some(new) });
            }
        }
        Ok(())
    }

    /// The files that the pipelines which run name.
    #[must_use]
    pub fn files(&self) -> BTreeSet<PathBuf> {
        self.running().by_name.values().flat_map(|running| running.file.files()).collect()
    }

    /// Whether a pipeline runs with exactly these settings.
    #[must_use]
    pub fn runs_with(&self, name: &str, file: &Pipeline) -> bool {
        self.of(name, |running| *running.file == **file).unwrap_or(false)
    }

    /// Notes whether files can be read, for those who ask how the host is. A new fault is logged.
    pub fn note_unread(&self, failure: Option<&Failure>) {
        let refusal = failure.map(|failure| Refusal { why: failure.to_string(), digest: None });
        let mut running = self.running();
        match refusal {
            None => drop(running.refused.remove(&Refused::Files)),
            Some(refusal) if running.refused.get(&Refused::Files) == Some(&refusal) => {}
            Some(refusal) => {
                tracing::error!("not read, and the pipelines continue as they were: {}", refusal.why);
                running.refused.insert(Refused::Files, refusal);
            }
        }
    }

    /// Notes that the file of a pipeline was not taken on.
    pub fn note_not_reloaded(&self, name: &Arc<str>, failure: &Failure) {
        let refusal = Refusal { why: failure.to_string(), digest: None };
        self.running().refused.insert(Refused::Pipeline(Arc::clone(name)), refusal);
    }

    /// Notes that a pipeline runs with its file.
    pub fn note_reloaded(&self, name: &Arc<str>) {
        self.running().refused.remove(&Refused::Pipeline(Arc::clone(name)));
    }

    /// Notes which versions serve, after a pipeline was loaded as a whole.
    pub(super) async fn note_serving(&self, file: &Pipeline, serving: &Serving, watched: &Watched) {
        for (stage, (step, named)) in file.stages.iter().zip(serving.deployment.steps.iter().zip(&serving.files)) {
            let of = StageOf { pipeline: file.name.shared(), stage: stage.name.shared() };
            watched.metrics.has_stage(&of.stage);
            let Some(digest) = Digest::new(&step.digest) else { continue };
            let noted = Noted { digest, change: Change::Serving, by: By::File, file: named.clone(), reason: None };
            self.options.versions.serves(&of, noted).await;
        }
        let name = file.name.shared();
        self.running().refused.retain(|refused, _| match refused {
            Refused::Files => true,
            Refused::Pipeline(pipeline) | Refused::Stage(pipeline, _) => *pipeline != name,
        });
    }
}
