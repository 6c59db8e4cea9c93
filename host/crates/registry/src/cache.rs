//! What was taken, by its digest. Nothing in it is believed: each digest is computed again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::{Digest, PullError};

/// A folder with a file for each digest. Hosts may share it: files appear by rename, whole or not at all.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.digits())
    }

    /// What has this digest. A file that has another one counts as missing. Blocks.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = fs::read(self.path(digest)).ok()?;
        (Digest::of(&bytes) == *digest).then(|| bytes.into())
    }

    /// Keeps what has this digest. Blocks.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), PullError> {
        self.write(&self.path(digest), bytes)
    }

    /// The signatures that were found of a manifest. Blocks.
    pub(crate) fn signatures(&self, manifest: &Digest) -> Option<Vec<u8>> {
        fs::read(self.path(manifest).with_extension("signatures")).ok()
    }

    /// Keeps them. Blocks.
    pub(crate) fn put_signatures(&self, manifest: &Digest, bytes: &[u8]) -> Result<(), PullError> {
        self.write(&self.path(manifest).with_extension("signatures"), bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), PullError> {
        let written = || {
            fs::create_dir_all(&self.folder)?;
            let mut file = NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            file.persist(path).map_err(|error| error.error)
        };
        written().map(drop).map_err(|error| PullError::Cache { path: path.to_owned(), error })
    }
}
