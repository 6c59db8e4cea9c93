//! Requests with one idempotency key: one at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gristmill_core::model::{IdempotencyKey, Owner};
use tokio::sync::OwnedMutexGuard;

/// The pipeline, the owner and the key.
pub(crate) type KeyOf = (Arc<str>, Option<Owner>, IdempotencyKey);

/// Held by the one request whose turn it is.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// Idempotency keys whose requests are in work here: later ones wait for the first.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<KeyOf, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until no other request with the key is in work. Cancel-safe.
    pub(crate) async fn take(&self, key: KeyOf) -> Turn {
        let turn = {
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = keys.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                // Those of requests that are done are dropped, now and then.
                if keys.len().is_power_of_two() {
                    keys.retain(|_, turn| turn.strong_count() > 0);
                }
                let turn = Arc::default();
                keys.insert(key, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_with_one_key_take_turns_and_leave_nothing_behind() {
        let turns = Turns::default();
        let key = |name: &str| ("p".into(), None, IdempotencyKey(name.into()));
        let first = turns.take(key("a")).await;
        let other = turns.take(key("b")).await;
        let mut second = Box::pin(turns.take(key("a")));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        drop(other);
        for number in 0..100 {
            drop(turns.take(key(&number.to_string())).await);
        }
        let left = turns.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(left <= 64, "{left}");
    }
}
