//! The folder of a host's versions: `modules/DIGEST.wasm`, and `history/PIPELINE/STAGE.jsonl`.
//!
//! Everything here blocks. Hosts of one machine may share the folder: what changes it holds a lock.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::digest::Digest;
use super::entry::{By, Change, Entry};
use super::history::History;
use super::modules::Modules;
use super::standing::Standing;

/// The most that all modules have together, in bytes, but for those that serve.
const MOST: u64 = 1 << 30;

/// Where versions are kept.
pub struct Folder {
    root: PathBuf,
    modules: Modules,
    /// How many modules are kept for each stage.
    kept: usize,
}

/// A stage of a pipeline. Both are names of pipeline files, so they are safe as names of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageName<'n> {
    /// The pipeline.
    pub pipeline: &'n str,
    /// Its stage.
    pub stage: &'n str,
}

/// What is to be remembered of a version.
#[derive(Debug, Clone, Copy)]
pub struct Note<'n> {
    /// Its module.
    pub digest: &'n Digest,
    /// What became of it.
    pub change: Change,
    /// Who or what did that.
    pub by: By,
    /// The module that the pipeline file names.
    pub file: &'n Digest,
    /// Why, in at most 2 KiB; the rest is cut.
    pub reason: Option<&'n str>,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the folder of versions {folder} cannot be used", folder = .folder.display())]
pub struct FolderError {
    /// The folder.
    pub folder: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Folder {
    /// Opens a folder, which is created if it is missing; nobody else may look into it. `kept` is how many modules are kept
    /// for each stage, beside those that serve.
    ///
    /// # Errors
    /// It cannot be written to. So below.
    pub fn open(root: &Path, kept: NonZeroUsize) -> Result<Self, FolderError> {
        let open = || -> io::Result<()> {
            for folder in [root.to_owned(), root.join("modules"), root.join("history")] {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            lock(root).map(drop)
        };
        open().map_err(|source| FolderError { folder: root.to_owned(), source })?;
        let modules = Modules::in_folder(root.join("modules"));
        Ok(Self { root: root.to_owned(), modules, kept: kept.get() })
    }

    /// The history of a stage, the oldest entry first; empty if it has none.
    pub fn history(&self, stage: StageName<'_>) -> Result<Vec<Entry>, FolderError> {
        self.try_to(|| self.of(stage)?.read())
    }

    /// What became of a version, and its module if it is to be kept. It is on disk when this returns.
    pub fn note(&self, stage: StageName<'_>, note: Note<'_>, module: Option<&[u8]>) -> Result<Entry, FolderError> {
        self.try_to(|| {
            let _lock = lock(&self.root)?;
            if let Some(module) = module {
                self.modules.put(note.digest, module)?;
            }
            let history = self.of(stage)?;
            let before = history.read()?;
            let entry = Entry {
                at: now(),
                version: Standing::of(&before).number(note.digest),
                digest: note.digest.clone(),
                change: note.change,
                by: note.by,
                file: note.file.clone(),
                reason: note.reason.map(str::to_owned),
            };
            history.append(&before, entry)
        })
    }

    /// Keeps a module that is worth keeping for what was noted of it before.
    pub fn keep(&self, digest: &Digest, module: &[u8]) -> Result<(), FolderError> {
        self.try_to(|| {
            let _lock = lock(&self.root)?;
            self.modules.put(digest, module)
        })
    }

    /// A module's bytes; `None` if it is not kept any more.
    pub fn module(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FolderError> {
        self.try_to(|| self.modules.get(digest))
    }

    /// Whether a module is kept.
    #[must_use]
    pub fn has(&self, digest: &Digest) -> bool {
        self.modules.has(digest)
    }

    /// Removes modules that no stage of any pipeline has use for, and the oldest of those that none needs, as long as all
    /// have more than 1 GiB together. Returns how many were removed.
    pub fn clean(&self) -> Result<usize, FolderError> {
        self.try_to(|| {
            let _lock = lock(&self.root)?;
            let (mut wanted, mut needed) = (BTreeSet::new(), BTreeSet::new());
            for pipeline in fs::read_dir(self.root.join("history"))? {
                for stage in fs::read_dir(pipeline?.path())? {
                    let standing = Standing::of(&History::at(stage?.path()).read()?);
                    needed.extend(standing.worth_keeping(2));
                    wanted.extend(standing.worth_keeping(self.kept.max(2)));
                }
            }
            self.modules.clean(&wanted, &needed, MOST)
        })
    }

    fn of(&self, stage: StageName<'_>) -> io::Result<History> {
        let folder = self.root.join("history").join(stage.pipeline);
        if !folder.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            File::open(self.root.join("history"))?.sync_all()?;
        }
        Ok(History::at(folder.join(format!("{}.jsonl", stage.stage))))
    }

    fn try_to<T>(&self, work: impl FnOnce() -> io::Result<T>) -> Result<T, FolderError> {
        work().map_err(|source| FolderError { folder: self.root.clone(), source })
    }
}

/// Held while something in the folder changes; the system lets go of it when its process ends, whatever ends it.
fn lock(root: &Path) -> io::Result<File> {
    let path = root.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
