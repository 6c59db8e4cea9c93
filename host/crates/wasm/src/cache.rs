//! Compiled code on disk, keyed by the digest of the module and the engine's settings.
//!
//! The files are native code that the host runs, so a folder is used only if it belongs to this user alone. Hosts may
//! share it: files appear by rename, whole or not at all, and are never changed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use wasmtime::Engine;
use wasmtime::component::Component;

/// No file is written for so long.
const LEFT: Duration = Duration::from_secs(60 * 60);

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

    /// Returns the component from the cache, or compiles it. May block for seconds: do not call it on an async thread.
    pub(super) fn compile(&self, engine: &Engine, digest: &str, wasm: &[u8]) -> wasmtime::Result<Component> {
        let Some(folder) = &self.folder else {
            return Component::new(engine, wasm);
        };
        let path = folder.join(format!("{digest}-{:016x}.cwasm", engine_hash(engine)));
        if path.exists() {
            match deserialize(engine, &path) {
                Ok(component) => return Ok(component),
                Err(error) => tracing::warn!(path = %path.display(), "compiling again: {error:#}"),
            }
        }
        let component = Component::new(engine, wasm)?;
        if let Err(error) = component.serialize().and_then(|code| Ok(store(&path, &code)?)) {
            tracing::warn!(path = %path.display(), "the compiled stage is not cached: {error:#}");
        }
        Ok(component)
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

fn store(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", unique()));
    let written = write_synced(&temporary, code).and_then(|()| fs::rename(&temporary, path));
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
