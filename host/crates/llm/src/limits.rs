//! How many calls a server is asked at a time. All pipelines of a host that use one key share one limit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::settings::SecretRef;

/// What a limit belongs to: an address and the key it is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) base_url: String,
    pub(crate) key: Option<SecretRef>,
}

/// The limits of a host. One for each account, alive as long as a target uses it.
#[derive(Default)]
pub struct Limits {
    /// A lock, because pipelines are built side by side.
    by_account: Mutex<HashMap<Account, Weak<Limit>>>,
}

/// A bound of the calls under way.
pub(crate) struct Limit {
    permits: Semaphore,
    /// How many there are. A lock, because two pipelines may lower it at the same time.
    most: Mutex<usize>,
}

impl Limits {
    /// The limit of an account. Where several targets share it, the lowest number counts.
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
    /// A limit that nobody shares.
    pub(crate) fn new(max_concurrent: usize) -> Self {
        // More than a semaphore can count is no bound.
        let most = max_concurrent.min(Semaphore::MAX_PERMITS);
        Self { permits: Semaphore::new(most), most: Mutex::new(most) }
    }

    /// How many calls there may be.
    pub(crate) fn most(&self) -> usize {
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to one call; waits for it. Cancel-safe.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }

    fn lower_to(&self, wanted: usize) {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = most.saturating_sub(wanted.max(1));
        // Of permits that are out none can be taken back: then the limit stays as it is.
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
