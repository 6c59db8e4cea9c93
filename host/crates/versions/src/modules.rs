//! Modules in a folder, each by the name of its digest: whole or not at all, and never changed.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use gristmill_core::settings::{ByteSize, read_file};

use super::digest::Digest;

/// The largest module, in bytes.
const LARGEST: ByteSize = ByteSize::mib(64);
/// No module is written for so long.
const LEFT: Duration = Duration::from_secs(60 * 60);
/// What a module's file is called behind its digest.
const ENDING: &str = ".wasm";

pub(super) struct Modules {
    folder: PathBuf,
}

/// A module in the folder.
struct Kept {
    digest: Digest,
    bytes: u64,
    modified: SystemTime,
}

impl Modules {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps a module, unless it is there. It is on disk when this returns.
    pub(super) fn put(&self, digest: &Digest, wasm: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let path = self.path(digest);
        if path.metadata().is_ok_and(|file| file.len() == wasm.len() as u64) {
            return Ok(());
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let written = self.folder.join(format!("{digest}.{}-{count}.new", std::process::id()));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written)?;
            file.write_all(wasm)?;
            file.sync_all()?;
            fs::rename(&written, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().inspect_err(|_| drop(fs::remove_file(&written)))
    }

    /// A module's bytes; `None` if it is not kept, or not whole any more.
    pub(super) fn get(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        if !path.exists() {
            return Ok(None);
        }
        let wasm = read_file(&path, LARGEST).map_err(io::Error::other)?;
        if Digest::of(&wasm) == *digest {
            return Ok(Some(wasm));
        }
        tracing::warn!(path = %path.display(), "a kept module is not what its name says; it is removed");
        fs::remove_file(&path)?;
        Ok(None)
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// Removes what is not worth keeping: all but `wanted`, and of these the oldest, as long as all have more than `most`
    /// bytes together and are not `needed`. Returns how many were removed.
    pub(super) fn clean(&self, wanted: &BTreeSet<Digest>, needed: &BTreeSet<Digest>, most: u64) -> io::Result<usize> {
        let mut kept = Vec::new();
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let modified = metadata.modified()?;
            match digest_of(&entry.path()) {
                Some(digest) if wanted.contains(&digest) => {
                    kept.push(Kept { digest, bytes: metadata.len(), modified });
                }
                Some(_) => {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
                None => {
                    let is_left = modified.elapsed().is_ok_and(|age| age > LEFT);
                    if is_left && entry.path().extension().is_some_and(|ending| ending == "new") {
                        fs::remove_file(entry.path())?;
                    }
                }
            }
        }
        let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
        kept.sort_by_key(|kept| kept.modified);
        for old in kept.iter().filter(|kept| !needed.contains(&kept.digest)) {
            if bytes <= most {
                break;
            }
            fs::remove_file(self.path(&old.digest))?;
            bytes -= old.bytes;
            removed += 1;
        }
        Ok(removed)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}{ENDING}"))
    }
}

fn digest_of(path: &Path) -> Option<Digest> {
    Digest::new(path.file_name()?.to_str()?.strip_suffix(ENDING)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_kept_once_and_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let modules = Modules::in_folder(folder.path().to_owned());
        let digest = Digest::of(b"module");
        assert_eq!(modules.get(&digest).unwrap(), None);
        modules.put(&digest, b"module").unwrap();
        modules.put(&digest, b"module").unwrap();
        assert_eq!(modules.get(&digest).unwrap().as_deref(), Some(&b"module"[..]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(modules.path(&digest), b"modulf").unwrap();
        assert_eq!(modules.get(&digest).unwrap(), None, "changed on disk");
        modules.put(&digest, b"module").unwrap();
        assert!(modules.get(&digest).unwrap().is_some(), "and can be kept again");
    }

    #[test]
    fn what_nobody_wants_is_removed_and_the_oldest_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let modules = Modules::in_folder(folder.path().to_owned());
        let digests = [&b"1111"[..], b"2222", b"3333", b"4444"].map(|wasm| {
            let digest = Digest::of(wasm);
            modules.put(&digest, wasm).unwrap();
            digest
        });
        let age = |digest: &Digest, seconds| {
            let file = File::options().write(true).open(modules.path(digest)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        for (seconds, digest) in (1..).zip(&digests) {
            age(digest, seconds);
        }
        fs::write(folder.path().join("x.1-1.new"), b"half").unwrap();
        let wanted: BTreeSet<Digest> = digests[..3].iter().cloned().collect();
        let needed = BTreeSet::from([digests[0].clone()]);
        assert_eq!(modules.clean(&wanted, &needed, 8).unwrap(), 2, "the fourth, and the second, which is the oldest");
        let has: Vec<bool> = digests.iter().map(|digest| modules.has(digest)).collect();
        assert_eq!(has, [true, false, true, false]);
        assert!(folder.path().join("x.1-1.new").exists(), "it may be written right now");
        assert_eq!(modules.clean(&wanted, &needed, 0).unwrap(), 1, "what is needed stays");
    }
}
