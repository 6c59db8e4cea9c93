//! The versions of a host's stages, as they are kept in its folder. Files are read and written on threads for that.

use std::sync::Arc;

use anyhow::Context;
use gristmill_versions::{By, Change, Digest, Entry, Folder, FolderError, Note, StageName, Standing, State};
use gristmill_wasm::Module;

use super::failure::Failure;
use super::store::state_folder;
use crate::settings::VersionSettings;

/// The versions of stages that a host keeps.
#[derive(Clone, Default)]
pub struct Versions {
    /// `None`: none is kept, and nothing is known of those that served before this process.
    folder: Option<Arc<Folder>>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StageOf {
    pub(super) pipeline: Arc<str>,
    pub(super) stage: Arc<str>,
}

/// What is to be remembered of a version.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    pub(super) digest: Digest,
    pub(super) change: Change,
    pub(super) by: By,
    /// What the pipeline file names.
    pub(super) file: Digest,
    pub(super) reason: Option<String>,
}

/// The digest of a module.
pub(super) fn digest(module: &Module) -> Digest {
    Digest::new(module.digest()).unwrap_or_else(|| Digest::of(module.bytes()))
}

impl Versions {
    /// None are kept.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those in the folder of a host. If it cannot be used, that is logged, and none are kept: pipelines run all the same.
    pub async fn open(settings: &VersionSettings) -> Self {
        let (folder, keep) = (settings.folder.clone(), settings.keep);
        let open = move || -> Result<Folder, Failure> {
            let folder = match folder {
                Some(folder) => folder,
                None => state_folder()?.join("versions"),
            };
            let keep = keep.try_into().context("how many modules are kept")?;
            Ok(Folder::open(&folder, keep).map_err(anyhow::Error::new)?)
        };
        let opened = tokio::task::spawn_blocking(open).await;
        match opened.context("opening the versions").map_err(Failure::Running).flatten() {
            Ok(folder) => Self { folder: Some(Arc::new(folder)) },
            Err(failure) => {
                tracing::warn!("no versions of stages are kept, so none can be pushed or rolled back: {failure}");
                Self::none()
            }
        }
    }

    /// Whether versions are kept.
    pub(super) fn are_kept(&self) -> bool {
        self.folder.is_some()
    }

    /// What became of a stage's versions, the oldest entry first.
    pub(super) async fn history(&self, of: &StageOf) -> Result<Vec<Entry>, Failure> {
        let of = of.clone();
        let history = self.with(move |folder| folder.history(of.name())).await?;
        Ok(history.unwrap_or_default())
    }

    /// The versions of a stage.
    pub(super) async fn standing(&self, of: &StageOf) -> Result<Standing, Failure> {
        Ok(Standing::of(&self.history(of).await?))
    }

    /// Which of these modules are kept.
    pub(super) async fn kept(&self, digests: Vec<Digest>) -> Vec<bool> {
        let count = digests.len();
        let look = move |folder: &Folder| Ok(digests.iter().map(|digest| folder.has(digest)).collect());
        self.with(look).await.ok().flatten().unwrap_or_else(|| vec![false; count])
    }

    /// Notes what became of a version, with its module if that is to be kept. It is on disk when this returns. `None` if none
    /// are kept.
    pub(super) async fn note(
        &self,
        of: &StageOf,
        noted: Noted,
        module: Option<&Module>,
    ) -> Result<Option<Entry>, Failure> {
        let (of, module) = (of.clone(), module.cloned());
        let note = move |folder: &Folder| {
            let Noted { digest, change, by, file, reason } = &noted;
            let note = Note { digest, change: *change, by: *by, file, reason: reason.as_deref() };
            let entry = folder.note(of.name(), note, module.as_ref().map(|module| &**module.bytes()))?;
            if *change == Change::Serving {
                folder.clean()?;
            }
            Ok(entry)
        };
        self.with(note).await
    }

    /// The same where nothing else depends on it: if it cannot be kept, that is logged.
    pub(super) async fn try_note(&self, of: &StageOf, noted: Noted, module: Option<&Module>) {
        if let Err(failure) = self.note(of, noted, module).await {
            tracing::error!(pipeline = %of.pipeline, stage = %of.stage, "the history has a gap: {failure}");
        }
    }

    /// A module by its digest; `None` if it is not kept.
    pub(super) async fn module(&self, wanted: &Digest) -> Result<Option<Module>, Failure> {
        let wanted = wanted.clone();
        let read = self.with(move |folder| folder.module(&wanted)).await?;
        Ok(read.flatten().map(Module::new))
    }

    /// The version that serves over the module that the file names; `None` if the file's own does.
    pub(super) async fn choose(&self, of: &StageOf, file: &Module) -> Option<Module> {
        let named = digest(file);
        let chosen = async {
            let standing = self.standing(of).await?;
            let chosen = standing.choose(&named);
            if *chosen == named {
                return Ok(None);
            }
            let module = self.module(chosen).await?;
            module.map(Some).with_context(|| format!("the module {} is not kept any more", chosen.short()))
        };
        match chosen.await {
            Ok(chosen) => chosen,
            Err::<_, anyhow::Error>(reason) => {
                let (pipeline, stage) = (&of.pipeline, &of.stage);
                tracing::warn!(%pipeline, %stage, "the version that served last cannot be had, the file's own serves: {reason:#}");
                None
            }
        }
    }

    /// A module was loaded as a stage: it becomes a version, if it is none, and is kept.
    pub(super) async fn loaded(&self, of: &StageOf, module: &Module, file: &Digest) {
        let Ok(standing) = self.standing(of).await else { return };
        let digest = digest(module);
        let is_new = standing.version(&digest).is_none_or(|version| version.state == State::Refused);
        if is_new {
            let noted = Noted { digest, change: Change::Ready, by: By::File, file: file.clone(), reason: None };
            self.try_note(of, noted, Some(module)).await;
            return;
        }
        let module = module.clone();
        let keep = move |folder: &Folder| folder.keep(&digest, module.bytes());
        if let Err(failure) = self.with(keep).await {
            tracing::warn!(pipeline = %of.pipeline, stage = %of.stage, "its module is not kept: {failure}");
        }
    }

    /// From now on this module serves, and no other one of the stage.
    pub(super) async fn serves(&self, of: &StageOf, noted: Noted) {
        let Ok(standing) = self.standing(of).await else { return };
        for canary in standing.versions.iter().filter(|version| version.state == State::Canary) {
            let reason = Some("the pipeline was loaded anew".to_owned());
            let (digest, file) = (canary.digest.clone(), noted.file.clone());
            let ended = Noted { digest, change: Change::Withdrawn, by: By::Automatic, file, reason };
            self.try_note(of, ended, None).await;
        }
        let known = standing.serving().is_some_and(|(digest, file)| (digest, file) == (&noted.digest, &noted.file));
        if !known {
            self.try_note(of, noted, None).await;
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, FolderError> + Send + 'static,
    ) -> Result<Option<T>, Failure> {
        let Some(folder) = self.folder.clone() else { return Ok(None) };
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        let done = done.context("the versions of stages")?;
        Ok(Some(done.map_err(anyhow::Error::new)?))
    }
}

impl StageOf {
    fn name(&self) -> StageName<'_> {
        StageName { pipeline: &self.pipeline, stage: &self.stage }
    }
}
