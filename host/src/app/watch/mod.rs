//! Watches files for changes of what they hold, however that comes about: written in place, renamed over, or by a symbolic
//! link anywhere on the way to them that leads elsewhere.
//!
//! What the system tells of folders only wakes it up. What counts is what the files hold, once they have stopped to change.

mod links;
mod prints;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use self::links::Way;
use self::prints::{Held, Print};

/// How long nothing may happen before files are taken for whole.
const QUIET: Duration = Duration::from_millis(50);
/// How long that is waited for. Then they are looked at all the same: what is not stable yet waits for the next look.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often files are looked at where the system tells of changes: it does not for every file system.
const SLOW: Duration = Duration::from_secs(5);
/// How often where it does not.
const FAST: Duration = Duration::from_secs(1);

/// How changes of files are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// The system tells, and they are looked at every 5 s.
    Told,
    /// They are looked at every second. A file has to be the same for a second.
    Looked,
}

/// Files that are watched.
pub struct FileWatch {
    files: BTreeSet<PathBuf>,
    /// What each held when it was last told of; `None` of a file that is not there.
    held: BTreeMap<PathBuf, Option<Held>>,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    /// The names that matter in these folders. A lock, because the system's watcher asks from a thread of its own.
    names: Arc<Mutex<BTreeSet<OsString>>>,
    woken: Arc<Notify>,
    every: Duration,
}

impl FileWatch {
    /// Watches these files. What they hold now is what changes are found against. A file need not exist.
    pub async fn start(how: Watching, files: BTreeSet<PathBuf>) -> Self {
        let (names, woken) = (Arc::<Mutex<BTreeSet<OsString>>>::default(), Arc::new(Notify::new()));
        let watcher = match how {
            Watching::Told => watcher(&names, &woken),
            Watching::Looked => None,
        };
        let every = if watcher.is_some() { SLOW } else { FAST };
        let (held, folders) = (BTreeMap::new(), BTreeSet::new());
        let mut watch = Self { files: BTreeSet::new(), held, watcher, folders, names, woken, every };
        watch.replace(files).await;
        watch
    }

    /// Watches these files from now on. Those that were watched before are compared with what they held then.
    pub async fn replace(&mut self, files: BTreeSet<PathBuf>) {
        self.held.retain(|file, _| files.contains(file));
        self.files = files;
        self.follow();
        let new: Vec<PathBuf> = self.files.iter().filter(|file| !self.held.contains_key(*file)).cloned().collect();
        self.held.extend(prints::held(new).await);
    }

    /// Waits until files hold something else, or are gone, and have stopped to change. Cancel-safe.
    pub async fn changed(&mut self) -> BTreeSet<PathBuf> {
        loop {
            if !self.differs() {
                // Either is only a reason to look.
                if timeout(self.every, self.woken.notified()).await.is_ok() {
                    // A folder on the way may have come, or a link that leads to the same.
                    self.follow();
                }
                if !self.differs() {
                    continue;
                }
            }
            if !self.settled().await {
                continue;
            }
            let differing = self.differing();
            let before: BTreeMap<_, _> = differing.iter().map(|file| (file.clone(), Print::of(file))).collect();
            let held = prints::held(differing).await;
            // Written while it was read.
            if before.iter().any(|(file, print)| Print::of(file) != *print) {
                continue;
            }
            let is_changed = |file: &PathBuf, now: &Option<Held>| match (self.held.get(file), now) {
                (Some(Some(before)), Some(now)) => !before.is_same(now),
                (Some(None), None) => false,
                _ => true,
            };
            let changed = held.iter().filter(|(file, now)| is_changed(file, now)).map(|(file, _)| file.clone());
            let changed: BTreeSet<PathBuf> = changed.collect();
            self.held.extend(held);
            // A link that leads elsewhere has other folders behind it.
            self.follow();
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    fn differs(&self) -> bool {
        self.files.iter().any(|file| self.is_different(file))
    }

    fn differing(&self) -> Vec<PathBuf> {
        self.files.iter().filter(|file| self.is_different(file)).cloned().collect()
    }

    fn is_different(&self, file: &Path) -> bool {
        let before = self.held.get(file).and_then(Option::as_ref).map(|held| &held.print);
        before != Print::of(file).as_ref()
    }

    /// Waits until nothing has happened for a while, and whether that came.
    async fn settled(&self) -> bool {
        let quiet = if self.watcher.is_some() { QUIET } else { self.every };
        let until = Instant::now() + PATIENCE.max(quiet * 2);
        let mut before = self.prints();
        while Instant::now() < until {
            let is_quiet = match &self.watcher {
                Some(_) => timeout(quiet, self.woken.notified()).await.is_err(),
                None => {
                    sleep(quiet).await;
                    true
                }
            };
            let now = self.prints();
            if is_quiet && now == before {
                return true;
            }
            before = now;
        }
        false
    }

    fn prints(&self) -> Vec<Option<Print>> {
        self.files.iter().map(|file| Print::of(file)).collect()
    }

    /// Has the system tell of the folders in which a change can change what the files hold.
    fn follow(&mut self) {
        let ways: Vec<Way> = self.files.iter().map(|file| Way::to(file)).collect();
        let (mut folders, mut names) = (BTreeSet::new(), BTreeSet::new());
        for way in ways {
            folders.extend(way.folders);
            names.extend(way.names);
        }
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            // It may not be there any more.
            let _ = watcher.unwatch(gone);
        }
        let mut unwatched = Vec::new();
        // All of them: one that was removed and made again under its name is watched no more.
        for folder in &folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::debug!(folder = %folder.display(), %error, "looked at every few seconds instead");
                unwatched.push(folder.clone());
            }
        }
        self.every = if unwatched.is_empty() { SLOW } else { FAST };
        self.folders = folders;
    }
}

/// The system's watcher; `None` if there is none to be had.
fn watcher(names: &Arc<Mutex<BTreeSet<OsString>>>, woken: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let (names, woken) = (Arc::clone(names), Arc::clone(woken));
    let told = move |event: notify::Result<Event>| {
        let matters = match &event {
            Ok(event) => {
                can_change(event.kind) && {
                    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
                    event.paths.is_empty()
                        || event.need_rescan()
                        || event.paths.iter().any(|path| path.file_name().is_none_or(|name| names.contains(name)))
                }
            }
            Err(_) => true,
        };
        if matters {
            woken.notify_one();
        }
    };
    match notify::recommended_watcher(told) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the system does not tell of changed files; they are looked at every second");
            None
        }
    }
}

/// Whether what happened can change what a file holds: to read it cannot.
fn can_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
