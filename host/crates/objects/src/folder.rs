//! Objects as files: written under another name, synced, then renamed, so that a crash leaves all of one or nothing.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::stream::{StreamExt, try_unfold};
use gristmill_core::model::{ObjectName, StoredPayload, Timestamp};
use gristmill_core::ports::{Chunks, ObjectError, Objects};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::measure::{Incoming, verified};

/// Files that are not whole yet. Names of objects never begin with a dot.
const INCOMING: &str = ".incoming";
/// How much is read at a time, in bytes.
const CHUNK: usize = 256 << 10;
/// How often a rename is tried whose folder a sweep has just deleted.
const TRIES: u32 = 3;

/// A folder of objects, which its owner alone can read.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens a folder, and makes it if it is not there. Blocks.
    ///
    /// # Errors
    /// It cannot be made, or we may not write to it.
    pub fn open(root: &Path) -> io::Result<Self> {
        make(&root.join(INCOMING))?;
        let root = root.canonicalize()?;
        // Whoever may not write is told now, and not by the first large document.
        drop(Unfinished::create(&root)?);
        Ok(Self { root })
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.as_str())
    }
}

#[async_trait]
impl Objects for Folder {
    async fn put(&self, name: ObjectName, bytes: Chunks, most: u64) -> Result<StoredPayload, ObjectError> {
        let root = self.root.clone();
        let (mut unfinished, file) = blocking(move || Unfinished::create(&root)).await?;
        let mut file = tokio::fs::File::from_std(file);
        let mut incoming = Incoming::new(bytes, most);
        while let Some(chunk) = incoming.next().await? {
            file.write_all(&chunk).await.map_err(|error| failed(&error))?;
        }
        file.flush().await.map_err(|error| failed(&error))?;
        file.sync_all().await.map_err(|error| failed(&error))?;
        let (root, path) = (self.root.clone(), self.path(&name));
        blocking(move || unfinished.finish(&root, &path)).await?;
        Ok(incoming.stored(name))
    }

    async fn get(&self, stored: &StoredPayload) -> Result<Chunks, ObjectError> {
        let path = self.path(&stored.name);
        let missing = || ObjectError::Missing { name: stored.name.as_str().to_owned() };
        let file = match tokio::fs::File::open(&path).await {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(missing());
            }
            Err(error) => return Err(failed(&error)),
        };
        let metadata = file.metadata().await.map_err(|error| failed(&error))?;
        if !metadata.is_file() {
            return Err(missing());
        }
        if metadata.len() != stored.size {
            return Err(ObjectError::Other { name: stored.name.as_str().to_owned(), difference: "size" });
        }
        let chunks = try_unfold(file, async |mut file| {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let read = file.read_buf(&mut chunk).await?;
            Ok::<_, io::Error>((read > 0).then(|| (chunk.freeze(), file)))
        });
        Ok(verified(chunks.boxed(), stored))
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, ObjectError> {
        let root = self.root.clone();
        let before = Duration::from_millis(u64::try_from(before.0).unwrap_or(0));
        let before = SystemTime::UNIX_EPOCH.checked_add(before).unwrap_or(SystemTime::UNIX_EPOCH);
        blocking(move || sweep(&root, before)).await
    }
}

/// A file that is not whole yet. It goes when this is dropped.
struct Unfinished {
    path: Option<PathBuf>,
}

impl Unfinished {
    fn create(root: &Path) -> io::Result<(Self, File)> {
        let path = root.join(INCOMING).join(format!("{:032x}", fastrand::u128(..)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path: Some(path) }, file))
    }

    /// Gives it its name, for good.
    fn finish(&mut self, root: &Path, to: &Path) -> io::Result<()> {
        let (Some(from), Some(folder)) = (&self.path, to.parent()) else { return Ok(()) };
        let mut tries = 0;
        loop {
            make(folder)?;
            tries += 1;
            match std::fs::rename(from, to) {
                // A sweep has deleted the empty folder in between.
                Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {}
                renamed => break renamed?,
            }
        }
        self.path = None;
        // The name is in its folder, which is in its own: each is synced, as they may be new.
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(root)) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What cannot be deleted now is swept.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Makes a folder and those above it. Nobody else may look into those that are new.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Deletes files that were last written before a moment, then folders that are empty. Returns how many files. One that is
/// gone already was swept by another host.
fn sweep(root: &Path, before: SystemTime) -> io::Result<u64> {
    let mut deleted = 0;
    // Those above come first in the list, so that they are empty when their turn comes at its end.
    let (mut folders, mut next) = (vec![root.to_owned()], 0);
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Some(metadata) = unless_gone(entry.metadata())? else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if is_older(&metadata, before) && unless_gone(std::fs::remove_file(entry.path()))?.is_some() {
                deleted += 1;
            }
        }
    }
    let incoming = root.join(INCOMING);
    for folder in folders.iter().skip(1).rev().filter(|folder| **folder != incoming) {
        if unless_gone(std::fs::metadata(folder))?.is_some_and(|metadata| is_older(&metadata, before)) {
            // Fails if something is in it.
            let _ = std::fs::remove_dir(folder);
        }
    }
    Ok(deleted)
}

fn is_older(metadata: &Metadata, before: SystemTime) -> bool {
    metadata.modified().is_ok_and(|modified| modified < before)
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, ObjectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(panicked) => Err(ObjectError::Refused { reason: format!("the work on the folder broke: {panicked}") }),
    }
}

/// A folder that we may not use stays so until somebody changes that; a full disk has room again one day.
fn failed(error: &io::Error) -> ObjectError {
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory => {
            ObjectError::Refused { reason: format!("{reason}: look at objects.folder and who may write there") }
        }
        _ => ObjectError::Transient { reason },
    }
}

#[cfg(test)]
mod tests;
