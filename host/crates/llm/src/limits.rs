//! Limits on concurrent calls to a server. All pipelines of a host that use the same address and key share one limit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::settings::SecretRef;

/// What a limit belongs to: an address and the key used there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) base_url: String,
    pub(crate) key: Option<SecretRef>,
}

/// The limits of a host: one per account, kept as long as a target uses it.
#[derive(Default)]
pub struct Limits {
    /// Locked because pipelines are built concurrently.
    by_account: Mutex<HashMap<Account, Weak<Limit>>>,
}

/// Limits the calls in flight.
pub(crate) struct Limit {
    permits: Semaphore,
    /// The number of permits. Locked because two pipelines may lower it at the same time.
    most: Mutex<usize>,
}

impl Limits {
    /// Returns the limit of an account. If several targets share it, the lowest `max_concurrent` wins.
    pub(crate) fn of(&self, account: Account, max_concurrent: usize) -> Arc<Limit> {
        let mut limits = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        limits.retain(|_, limit| limit.strong_count() > 0);
        if let Some(limit) = limits.get(&account).and_then(Weak::upgrade) {
            limit.lower_to(max_concurrent);
            return limit;
        }
        let limit = Arc::new(Limit::new(max_concurrent));
        limits.insert(account, Arc::downgrade(&limit));
        limit
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits(..)")
    }
}

impl Limit {
    /// Creates a limit that is not shared.
    pub(crate) fn new(max_concurrent: usize) -> Self {
        // A larger number than a semaphore can count is no limit at all.
        let most = max_concurrent.min(Semaphore::MAX_PERMITS);
        Self { permits: Semaphore::new(most), most: Mutex::new(most) }
    }

    /// The maximum number of concurrent calls.
    pub(crate) fn most(&self) -> usize {
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit to make one call. Cancel-safe.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }

    fn lower_to(&self, wanted: usize) {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = most.saturating_sub(wanted.max(1));
        // Permits in use cannot be taken back, so the limit drops by the free ones only.
        *most -= self.permits.forget_permits(surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(key: &str) -> Account {
        Account { base_url: "https://h/v1".into(), key: Some(SecretRef::Env(key.into())) }
    }

    #[tokio::test]
    async fn two_pipelines_with_one_key_share_one_limit() {
        let limits = Limits::default();
        let (one, two) = (limits.of(account("A"), 1), limits.of(account("A"), 1));
        let held = one.permit().await.unwrap();
        assert!(two.permits.try_acquire().is_err(), "the only permit is out");
        drop(held);
        assert!(two.permits.try_acquire().is_ok());
        let other = limits.of(account("B"), 1);
        assert!(!Arc::ptr_eq(&one, &other), "another key is another account");
    }

    #[test]
    fn the_lowest_number_counts() {
        let limits = Limits::default();
        let one = limits.of(account("A"), 8);
        let two = limits.of(account("A"), 3);
        assert_eq!((one.most(), two.most(), one.permits.available_permits()), (3, 3, 3));
        limits.of(account("A"), 5);
        assert_eq!(one.most(), 3);
    }

    #[test]
    fn a_limit_that_nobody_uses_is_forgotten() {
        let limits = Limits::default();
        drop(limits.of(account("A"), 1));
        assert_eq!(limits.of(account("A"), 8).most(), 8);
        assert_eq!(limits.by_account.lock().unwrap().len(), 1);
    }
}
