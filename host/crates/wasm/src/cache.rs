//! Compiled code on disk, with notes about it, by its name and the engine's settings.
//!
//! The files are native code that the host runs, so a folder is used only if it belongs to this user alone. Hosts may
//! share it: files appear by rename, whole or not at all, and are never changed. Their time is that of their last use; those
//! that were not used for long are removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::notes::Notes;

/// No file is written for so long.
const LEFT: Duration = Duration::from_secs(60 * 60);
/// A file that was not used for so long is removed.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most that all files have together, in bytes. Those that were not used for longest give way.
const MOST: u64 = 2 << 30;

/// The cache in a folder that was found to be safe; without one, nothing is cached.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Opens the cache in this folder, which is created if missing. If the folder is not safe, warns once and caches
    /// nothing; compiling still works.
    pub(super) fn open(folder: &Path) -> Self {
        match prepare(folder) {
            Ok(()) => Self { folder: Some(folder.to_owned()) },
            Err(error) => {
                tracing::warn!(folder = %folder.display(), "compiled stages are not cached: {error:#}");
                Self { folder: None }
            }
        }
    }

    /// Where compiled code is kept. `None` if it is not.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Returns the component of this name from the cache, or compiles it. May block for seconds: do not call it on an
    /// async thread.
    pub(super) fn compile(&self, engine: &Engine, name: &str, wasm: &[u8]) -> wasmtime::Result<Component> {
        if let Some(component) = self.load(engine, name) {
            return Ok(component);
        }
        let component = Component::new(engine, wasm)?;
        self.keep(engine, name, "cwasm", || Ok(component.serialize()?));
        Ok(component)
    }

    /// The component of this name, if it is in the cache and whole. Blocks.
    pub(super) fn load(&self, engine: &Engine, name: &str) -> Option<Component> {
        let path = self.path(engine, name, "cwasm")?;
        // It fails if there is no such file.
        File::open(&path).and_then(|file| file.set_modified(SystemTime::now())).ok()?;
        match deserialize(engine, &path) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(path = %path.display(), "compiling again: {error:#}");
                None
            }
        }
    }

    /// What was noted under this name. Blocks.
    pub(super) fn notes(&self, engine: &Engine, name: &str) -> Option<Notes> {
        let path = self.path(engine, name, "json")?;
        let file = File::open(path).ok()?;
        let _ = file.set_modified(SystemTime::now());
        serde_json::from_reader(BufReader::new(file)).ok()
    }

    /// Notes something under this name; what was noted before is replaced. Blocks.
    pub(super) fn note(&self, engine: &Engine, name: &str, notes: &Notes) {
        self.keep(engine, name, "json", || Ok(serde_json::to_vec(notes)?));
    }

    fn path(&self, engine: &Engine, name: &str, extension: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{name}-{:016x}.{extension}", engine_hash(engine))))
    }

    fn keep(&self, engine: &Engine, name: &str, extension: &str, bytes: impl FnOnce() -> anyhow::Result<Vec<u8>>) {
        let (Some(folder), Some(path)) = (&self.folder, self.path(engine, name, extension)) else { return };
        match bytes().and_then(|bytes| Ok(store(&path, &bytes)?)) {
            Ok(()) => make_room(folder),
            Err(error) => tracing::warn!(path = %path.display(), "the compiled stage is not cached: {error:#}"),
        }
    }
}

fn prepare(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).context("the folder cannot be created")?;
    let metadata = fs::metadata(folder).context("the folder's metadata cannot be read")?;
    // The owner of a file that this process creates is its own user, found without asking the system for user ids.
    let probe = folder.join(format!(".probe-{}", unique()));
    let owner = OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|file| file.metadata());
    let _ = fs::remove_file(&probe);
    let owner = owner.context("the folder cannot be written to")?.uid();
    ensure!(metadata.uid() == owner, "the folder belongs to another user; set GRISTMILL_CACHE to another one");
    ensure!(metadata.mode() & 0o022 == 0, "others may write to the folder; run chmod 700 on it");
    remove_leftovers(folder);
    make_room(folder);
    Ok(())
}

/// Removes what processes that were ended while they wrote have left. Another host may have one under way.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_temporary = entry.path().extension().is_some_and(|extension| extension == "tmp");
        let is_old =
            |metadata: fs::Metadata| metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > LEFT));
        if is_temporary && entry.metadata().is_ok_and(is_old) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes what nobody used for long, and what is too much. A host that runs such code has it mapped and keeps it.
fn make_room(folder: &Path) {
    let is_kept = |path: &Path| path.extension().is_some_and(|extension| extension == "cwasm" || extension == "json");
    let mut files: Vec<(Duration, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| is_kept(&entry.path())) {
        if let Ok(metadata) = entry.metadata() {
            let unused = metadata.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
            files.push((unused, metadata.len(), entry.path()));
        }
    }
    files.sort_unstable();
    let mut all = 0;
    for (unused, bytes, path) in files {
        all += bytes;
        if unused > UNUSED || all > MOST {
            let _ = fs::remove_file(path);
        }
    }
}

fn engine_hash(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

#[expect(unsafe_code, reason = "only files that `store` wrote into a folder that no other user can write to")]
fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `store` from `Component::serialize` of this same engine configuration (both are
    // in its name), is complete because it appeared by rename after a sync, and `prepare` made sure that no other
    // user could have changed it.
    unsafe { Component::deserialize_file(engine, path) }
}

fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", unique()));
    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name that is unique among the processes and threads that share the folder.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
