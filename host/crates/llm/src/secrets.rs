//! The key and the headers of a target, read again when a file that they come from changes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gristmill_core::settings::SecretRef;
use tokio::time::{Instant, timeout};

use crate::headers::{Dialect, Sent};
use crate::settings::{HeaderText, Headers};

/// How often the files are looked at, at most. A changed key is sent within this time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the secrets of a target come from, and what they were when they were last read.
pub(crate) struct Secrets {
    origin: Arc<Origin>,
    /// Locked because the calls of many jobs share it; never held across an await.
    state: Mutex<State>,
}

struct Origin {
    /// The target, for the log.
    name: String,
    dialect: Dialect,
    key: Option<SecretRef>,
    headers: Headers,
    files: Vec<PathBuf>,
}

struct State {
    sent: Arc<Sent>,
    /// Of the files, when they were last read.
    stamps: Vec<Option<Stamp>>,
    next_look: Instant,
}

/// What differs when a file was changed or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Secrets {
    /// Reads them for the first time. `name` is the target.
    ///
    /// # Errors
    /// As [`Sent::read`].
    pub(crate) fn read(
        name: &str,
        dialect: Dialect,
        key: Option<&SecretRef>,
        headers: &Headers,
    ) -> anyhow::Result<Self> {
        let secrets = headers.values().filter_map(|text| match text {
            HeaderText::Secret(secret) => Some(secret),
            HeaderText::Plain(_) => None,
        });
        let files = key.into_iter().chain(secrets).filter_map(|secret| match secret {
            SecretRef::File(file) => Some(file.clone()),
            // What the environment of a process holds does not change.
            SecretRef::Env(_) => None,
        });
        let files: Vec<PathBuf> = files.collect();
        let origin = Origin { name: name.to_owned(), dialect, key: key.cloned(), headers: headers.clone(), files };
        // Before they are read, so that a change meanwhile is seen the next time.
        let stamps = origin.stamps();
        let sent = Arc::new(origin.read()?);
        let state = State { sent, stamps, next_look: Instant::now() + LOOK_EVERY };
        Ok(Self { origin: Arc::new(origin), state: Mutex::new(state) })
    }

    /// The headers as they were when they were last read.
    pub(crate) fn last(&self) -> Arc<Sent> {
        Arc::clone(&self.state().sent)
    }

    /// The headers to send now. Files that cannot be used leave what was read before: they may be in the middle of a change.
    pub(crate) async fn current(&self) -> Arc<Sent> {
        let Some(before) = self.to_compare() else { return self.last() };
        let origin = Arc::clone(&self.origin);
        let look = tokio::task::spawn_blocking(move || {
            let stamps = origin.stamps();
            (stamps != before).then(|| (stamps, origin.read()))
        });
        // A folder on a network may hang, and must not hold the call.
        let Ok(Ok(Some((stamps, read)))) = timeout(LOOK_EVERY, look).await else { return self.last() };
        let mut state = self.state();
        state.stamps = stamps;
        let target = self.origin.name.as_str();
        match read {
            Ok(sent) => {
                state.sent = Arc::new(sent);
                tracing::info!(target, "the key or a secret header was read again, because its file has changed");
            }
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::warn!(target, reason, "a key file has changed and cannot be used; the key from before stays");
            }
        }
        Arc::clone(&state.sent)
    }

    /// The stamps of the last reading, if it is time to look.
    fn to_compare(&self) -> Option<Vec<Option<Stamp>>> {
        if self.origin.files.is_empty() {
            return None;
        }
        let mut state = self.state();
        let now = Instant::now();
        if now < state.next_look {
            return None;
        }
        state.next_look = now + LOOK_EVERY;
        Some(state.stamps.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics midway through a change, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origin {
    fn read(&self) -> anyhow::Result<Sent> {
        Sent::read(&self.dialect, self.key.as_ref(), &self.headers)
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.files.iter().map(|file| Stamp::of(file)).collect()
    }
}

impl Stamp {
    /// `None` if the file is not there.
    fn of(file: &Path) -> Option<Self> {
        let file = std::fs::metadata(file).ok()?;
        Some(Self { changed: file.modified().ok(), length: file.len(), inode: file.ino() })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::headers::KeyPlace;

    use super::*;

    const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-api-key"), fixed: &[] };

    async fn key(secrets: &Secrets) -> String {
        let sent = secrets.current().await;
        sent.headers["x-api-key"].to_str().unwrap().to_owned()
    }

    /// Moves the clock to the next look.
    async fn later() {
        tokio::time::sleep(LOOK_EVERY).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_whose_file_changes_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "first").unwrap();
        let secrets = Secrets::read("t", DIALECT, Some(&SecretRef::File(file.clone())), &Headers::new()).unwrap();
        assert_eq!(key(&secrets).await, "first");
        fs::write(&file, "second-key").unwrap();
        assert_eq!(key(&secrets).await, "first", "the file is not looked at before each call");
        later().await;
        assert_eq!(key(&secrets).await, "second-key");
        assert_eq!(secrets.last().headers["x-api-key"], "second-key");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_in_the_middle_of_a_change_leaves_the_key_from_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tenant");
        fs::write(&file, "first").unwrap();
        let headers = [("x-api-key".to_owned(), HeaderText::Secret(SecretRef::File(file.clone())))].into();
        let dialect = Dialect { key: KeyPlace::Bearer, fixed: &[] };
        let secrets = Secrets::read("t", dialect, None, &headers).unwrap();
        for broken in ["", "two\nlines of text"] {
            fs::write(&file, broken).unwrap();
            later().await;
            assert_eq!(key(&secrets).await, "first", "{broken:?}");
        }
        fs::remove_file(&file).unwrap();
        later().await;
        assert_eq!(key(&secrets).await, "first");
        fs::write(&file, "the third").unwrap();
        later().await;
        assert_eq!(key(&secrets).await, "the third");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_of_the_environment_is_never_looked_at_again() {
        let secret = SecretRef::Env("CARGO_PKG_NAME".into());
        let secrets = Secrets::read("t", DIALECT, Some(&secret), &Headers::new()).unwrap();
        later().await;
        assert!(secrets.to_compare().is_none());
        assert_eq!(key(&secrets).await, "gristmill-llm");
    }
}
