//! How many calls of an account may be under way at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The right of one target to ask an account. Its number counts as long as the target lives, so that a reload can raise a
/// limit as well as lower it.
pub(crate) struct Share {
    limit: Arc<Limit>,
    max_concurrent: usize,
}

/// Limits the calls in flight to the lowest number of its shares.
pub(crate) struct Limit {
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

impl Share {
    /// A limit that no other target shares.
    pub(crate) fn new(max_concurrent: usize) -> Self {
        Self::of(Arc::default(), max_concurrent)
    }

    /// A share in this limit. If several targets share it, the lowest `max_concurrent` wins.
    pub(crate) fn of(limit: Arc<Limit>, max_concurrent: usize) -> Self {
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
    pub(crate) async fn permit(&self) -> Permit<'_> {
        // The semaphore is never closed.
        Permit { limit: &self.limit, permit: self.limit.permits.acquire().await.ok() }
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

impl Default for Limit {
    /// Without shares nobody gets through.
    fn default() -> Self {
        Self { permits: Semaphore::new(0), state: Mutex::default() }
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

    #[test]
    fn the_lowest_number_counts() {
        let limit = Arc::<Limit>::default();
        let one = Share::of(Arc::clone(&limit), 8);
        let two = Share::of(Arc::clone(&limit), 3);
        assert_eq!((one.most(), two.most(), limit.permits.available_permits()), (3, 3, 3));
        drop(Share::of(limit, 5));
        assert_eq!(one.most(), 3);
    }

    #[tokio::test]
    async fn a_limit_is_lowered_as_calls_end_and_raised_when_the_lower_share_is_gone() {
        let limit = Arc::<Limit>::default();
        let one = Share::of(Arc::clone(&limit), 3);
        let mut calls = vec![one.permit().await, one.permit().await, one.permit().await];
        let two = Share::of(Arc::clone(&limit), 1);
        assert_eq!(two.most(), 1);
        calls.truncate(1);
        assert!(limit.permits.try_acquire().is_err(), "the one call in flight is all there may be");
        calls.clear();
        assert_eq!(limit.permits.available_permits(), 1);
        drop(two);
        assert_eq!((one.most(), limit.permits.available_permits()), (3, 3));
    }

    #[tokio::test]
    async fn a_limit_that_is_raised_again_at_once_takes_no_permit_back() {
        let limit = Arc::<Limit>::default();
        let one = Share::of(Arc::clone(&limit), 2);
        let calls = (one.permit().await, one.permit().await);
        drop(Share::of(Arc::clone(&limit), 1));
        drop(calls);
        assert_eq!((one.most(), limit.permits.available_permits()), (2, 2));
    }
}
