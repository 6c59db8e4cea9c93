//! What the pipelines of a host share of a model server: one limit of concurrent calls for each address and key, and the
//! recent results of each model there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gristmill_core::model::Ledger;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::settings::SecretRef;

/// What a limit belongs to: an address and the key used there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) base_url: String,
    pub(crate) key: Option<SecretRef>,
}

/// A model at an account, asked with one key. The results of another model, or of a key that was changed since, say nothing
/// about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) base_url: String,
    pub(crate) model: String,
    /// SHA-256 of the key.
    pub(crate) key: Option<[u8; 32]>,
}

/// The recent results of an endpoint. Locked because many calls note theirs; never held across a wait.
pub(crate) type Results = Mutex<Ledger>;

/// The limits of a host: one per account, kept as long as a target uses it. And the recent results of each endpoint.
#[derive(Default)]
pub struct Limits {
    /// Locked because pipelines are built concurrently.
    by_account: Mutex<HashMap<Account, Weak<Limit>>>,
    /// Locked for the same reason.
    by_endpoint: Mutex<HashMap<Endpoint, Weak<Results>>>,
}

/// The right of one target to ask an account. Its number counts as long as the target lives, so that a reload can raise a
/// limit as well as lower it.
pub(crate) struct Share {
    limit: Arc<Limit>,
    max_concurrent: usize,
}

/// Limits the calls in flight to the lowest number of its shares.
struct Limit {
    permits: Semaphore,
    /// Locked because pipelines are built and dropped concurrently. Never held across a wait.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of each share.
    wanted: Vec<usize>,
    /// How many calls there may be.
    most: usize,
    /// How many permits of calls in flight end with their call.
    owed: usize,
}

/// The right to one call.
pub(crate) struct Permit<'a> {
    limit: &'a Limit,
    permit: Option<SemaphorePermit<'a>>,
}

impl Limits {
    /// Returns a share in the limit of an account. If several targets share it, the lowest `max_concurrent` wins.
    pub(crate) fn of(&self, account: Account, max_concurrent: usize) -> Share {
        let mut limits = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        limits.retain(|_, limit| limit.strong_count() > 0);
        if let Some(limit) = limits.get(&account).and_then(Weak::upgrade) {
            return Share::of(limit, max_concurrent);
        }
        let share = Share::new(max_concurrent);
        limits.insert(account, Arc::downgrade(&share.limit));
        share
    }

    /// Returns the results of an endpoint.
    pub(crate) fn results(&self, endpoint: Endpoint) -> Arc<Results> {
        let mut all = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, results| results.strong_count() > 0);
        if let Some(results) = all.get(&endpoint).and_then(Weak::upgrade) {
            return results;
        }
        let results = Arc::<Results>::default();
        all.insert(endpoint, Arc::downgrade(&results));
        results
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits(..)")
    }
}

impl Share {
    /// A limit that no other target shares.
    pub(crate) fn new(max_concurrent: usize) -> Self {
        Self::of(Arc::new(Limit { permits: Semaphore::new(0), state: Mutex::default() }), max_concurrent)
    }

    fn of(limit: Arc<Limit>, max_concurrent: usize) -> Self {
        // More than a semaphore can count is no bound.
        let max_concurrent = max_concurrent.clamp(1, Semaphore::MAX_PERMITS);
        limit.change(|wanted| wanted.push(max_concurrent));
        Self { limit, max_concurrent }
    }

    /// How many calls may be in flight.
    pub(crate) fn most(&self) -> usize {
        self.limit.state().most
    }

    /// The right to one call; waits for it. Cancel-safe.
    pub(crate) async fn permit(&self) -> Option<Permit<'_>> {
        // The semaphore is never closed.
        let permit = self.limit.permits.acquire().await.ok()?;
        Some(Permit { limit: &self.limit, permit: Some(permit) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.limit.change(|wanted| {
            if let Some(index) = wanted.iter().position(|wanted| *wanted == self.max_concurrent) {
                wanted.swap_remove(index);
            }
        });
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // Returned under the lock: a change meanwhile would not see it.
        let mut state = self.limit.state();
        if let Some(permit) = self.permit.take()
            && state.owed > 0
        {
            state.owed -= 1;
            permit.forget();
        }
    }
}

impl Limit {
    fn change(&self, change: impl FnOnce(&mut Vec<usize>)) {
        let mut state = self.state();
        change(&mut state.wanted);
        let Some(most) = state.wanted.iter().copied().min() else { return };
        if most > state.most {
            let more = most - state.most;
            let kept = more.min(state.owed);
            state.owed -= kept;
            self.permits.add_permits(more - kept);
        } else {
            let fewer = state.most - most;
            state.owed += fewer - self.permits.forget_permits(fewer);
        }
        state.most = most;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(two.limit.permits.try_acquire().is_err(), "the only permit is out");
        drop(held);
        assert!(two.limit.permits.try_acquire().is_ok());
        let other = limits.of(account("B"), 1);
        assert!(!Arc::ptr_eq(&one.limit, &other.limit), "another key is another account");
    }

    #[test]
    fn only_one_model_asked_with_one_key_has_one_record_of_results() {
        let limits = Limits::default();
        let endpoint = |model: &str, key| Endpoint { base_url: "https://h/v1".into(), model: model.into(), key };
        let one = limits.results(endpoint("m", None));
        assert!(Arc::ptr_eq(&one, &limits.results(endpoint("m", None))));
        assert!(!Arc::ptr_eq(&one, &limits.results(endpoint("n", None))));
        assert!(!Arc::ptr_eq(&one, &limits.results(endpoint("m", Some([0; 32])))));
        drop(one);
        limits.results(endpoint("n", None));
        assert_eq!(limits.by_endpoint.lock().unwrap().len(), 1, "what nobody uses is forgotten");
    }

    #[test]
    fn the_lowest_number_counts() {
        let limits = Limits::default();
        let one = limits.of(account("A"), 8);
        let two = limits.of(account("A"), 3);
        assert_eq!((one.most(), two.most(), one.limit.permits.available_permits()), (3, 3, 3));
        limits.of(account("A"), 5);
        assert_eq!(one.most(), 3);
    }

    #[tokio::test]
    async fn a_limit_is_lowered_as_calls_end_and_raised_when_the_lower_share_is_gone() {
        let limits = Limits::default();
        let one = limits.of(account("A"), 3);
        let mut calls = vec![one.permit().await, one.permit().await, one.permit().await];
        let two = limits.of(account("A"), 1);
        assert_eq!(two.most(), 1);
        calls.truncate(1);
        assert!(two.limit.permits.try_acquire().is_err(), "the one call in flight is all there may be");
        calls.clear();
        assert_eq!(two.limit.permits.available_permits(), 1);
        drop(two);
        assert_eq!((one.most(), one.limit.permits.available_permits()), (3, 3));
    }

    #[tokio::test]
    async fn a_limit_that_is_raised_again_at_once_takes_no_permit_back() {
        let limits = Limits::default();
        let one = limits.of(account("A"), 2);
        let calls = (one.permit().await, one.permit().await);
        drop(limits.of(account("A"), 1));
        drop(calls);
        assert_eq!((one.most(), one.limit.permits.available_permits()), (2, 2));
    }

    #[test]
    fn a_limit_that_nobody_uses_is_forgotten() {
        let limits = Limits::default();
        drop(limits.of(account("A"), 1));
        assert_eq!(limits.of(account("A"), 8).most(), 8);
        assert_eq!(limits.by_account.lock().unwrap().len(), 1);
    }
}
