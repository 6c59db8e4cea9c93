//! Waiting for a moment that might never come.

use tokio::time::Instant;

/// Waits until the given moment, or forever.
pub(super) async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
