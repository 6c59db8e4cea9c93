//! What a file held at a moment: its print tells cheaply that it may be another, its digest whether it is.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gristmill_core::settings::{ByteSize, read_file};
use gristmill_versions::Digest;

/// As much as is read of a file: the largest module.
const LARGEST: ByteSize = ByteSize::mib(64);

/// What the system says of a file without reading it. Whatever replaces a file changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) print: Print,
    /// `None` if it cannot be read: it is a folder, for example, or too large.
    digest: Option<Digest>,
}

impl Held {
    /// Whether it held the same. Of what cannot be read the print decides.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(one), Some(other)) => one == other,
            _ => self.print == other.print,
        }
    }
}

impl Print {
    /// The print of a file now, behind all symbolic links; `None` if there is none.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// What these files hold now; `None` of one that is not there.
pub(super) async fn held(files: Vec<PathBuf>) -> Vec<(PathBuf, Option<Held>)> {
    let read = move || files.into_iter().map(|file| (held_by(&file), file)).map(|(held, file)| (file, held)).collect();
    // It ends early only with the process.
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn held_by(file: &Path) -> Option<Held> {
    let print = Print::of(file)?;
    let digest = read_file(file, LARGEST).ok().map(|bytes| Digest::of(&bytes));
    Some(Held { print, digest })
}
