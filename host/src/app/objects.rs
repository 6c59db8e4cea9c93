//! Where large payloads are kept, and the sweeps that delete them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gristmill_core::flow::Offload;
use gristmill_core::model::Timestamp;
use gristmill_core::ports::Objects;
use gristmill_objects::{Bucket, Folder, ObjectSettings};
use gristmill_store::settings::StoreSettings;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::failure::Failure;
use super::store::state_folder;

/// How often old objects are looked for.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// Where large payloads are kept.
pub struct Payloads {
    objects: Arc<dyn Objects>,
    inline_max: usize,
    keep: Duration,
}

impl Payloads {
    /// Opens the folder or the bucket. A bucket is not asked before it is needed.
    ///
    /// # Errors
    /// A folder that cannot be used, a secret that cannot be read, settings that are none of a bucket.
    pub async fn open(settings: &ObjectSettings, store: &StoreSettings) -> Result<Self, Failure> {
        let objects: Arc<dyn Objects> = match &settings.s3 {
            Some(bucket) => Arc::new(Bucket::new(bucket).context("objects.s3").map_err(Failure::Setup)?),
            None => {
                let folder = folder(settings, store)?;
                let shown = folder.display().to_string();
                let opened = tokio::task::spawn_blocking(move || Folder::open(&folder)).await;
                let opened = opened.context("opening the folder of objects")?;
                let opened = opened.with_context(|| format!("the folder of objects, {shown}, cannot be used"));
                Arc::new(opened.map_err(Failure::Setup)?)
            }
        };
        Ok(Self { objects, inline_max: settings.inline_max.as_usize(), keep: settings.keep })
    }

    /// The same for pipelines.
    #[must_use]
    pub fn offload(&self) -> Offload {
        Offload { objects: Arc::clone(&self.objects), inline_max: self.inline_max }
    }

    /// Deletes what is too old, now and every hour, until it is stopped. A store that is away is asked again at the next time.
    pub async fn sweep(self, stop: CancellationToken) {
        let mut due = tokio::time::interval(SWEEP);
        while stop.run_until_cancelled(due.tick()).await.is_some() {
            let before = oldest(clock::now(), self.keep);
            match stop.run_until_cancelled(self.objects.sweep(before)).await {
                Some(Ok(0)) => {}
                Some(Ok(objects)) => tracing::info!(objects, "deleted objects that were kept long enough"),
                Some(Err(error)) => tracing::warn!(%error, "old objects were not deleted; they are next time"),
                None => return,
            }
        }
    }
}

/// What is older is too old.
fn oldest(now: Timestamp, keep: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX)))
}

/// The folder of the settings, else one beside the state stores.
fn folder(settings: &ObjectSettings, store: &StoreSettings) -> Result<PathBuf, Failure> {
    if let Some(folder) = &settings.folder {
        return Ok(folder.clone());
    }
    let beside = match &store.folder {
        Some(folder) => folder.clone(),
        None => state_folder()?,
    };
    Ok(beside.join("objects"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_beside_the_state_stores_unless_they_have_a_folder() {
        let store = StoreSettings { folder: Some("/state".into()), ..StoreSettings::default() };
        let found = |settings: &ObjectSettings| folder(settings, &store).unwrap();
        assert_eq!(found(&ObjectSettings::default()), PathBuf::from("/state/objects"));
        let own = ObjectSettings { folder: Some("/large".into()), ..ObjectSettings::default() };
        assert_eq!(found(&own), PathBuf::from("/large"));
    }

    #[test]
    fn what_is_kept_for_ever_is_never_too_old() {
        assert_eq!(oldest(Timestamp(5_000), Duration::from_secs(2)), Timestamp(3_000));
        assert_eq!(oldest(Timestamp(0), Duration::MAX), Timestamp(-i64::MAX));
    }
}
