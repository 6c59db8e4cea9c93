//! Compiled code on disk, by the digest of the module and the engine's settings.
//!
//! What lies here is native code that the host will run, so the folder must belong to this user alone; one that does
//! not is not used. Two hosts may share it: files appear by rename, whole or not at all, and are never changed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, ensure};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The folder, once it was found to be safe.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Uses this folder, made if missing. Without a safe folder there is no cache, said once; compiling still works.
    pub(super) fn open(folder: &Path) -> Self {
        match prepare(folder) {
            Ok(()) => Self { folder: Some(folder.to_owned()) },
            Err(error) => {
                tracing::warn!(folder = %folder.display(), "compiled stages are not cached: {error:#}");
                Self { folder: None }
            }
        }
    }

    /// The compiled component, from the cache or freshly compiled. May block for seconds: not for an async thread.
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
    DirBuilder::new().recursive(true).mode(0o700).create(folder).context("the folder cannot be made")?;
    let metadata = fs::metadata(folder).context("the folder cannot be looked at")?;
    // A file made by this process shows whose rights it has, without asking the system for user ids.
    let probe = folder.join(format!(".probe-{}", unique()));
    let owner = OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|file| file.metadata());
    let _ = fs::remove_file(&probe);
    let owner = owner.context("the folder cannot be written to")?.uid();
    ensure!(metadata.uid() == owner, "the folder belongs to another user; name another one by GRISTMILL_CACHE");
    ensure!(metadata.mode() & 0o022 == 0, "others may write to the folder; chmod 700 it");
    Ok(())
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

/// Differs between the processes and threads that share the folder.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
