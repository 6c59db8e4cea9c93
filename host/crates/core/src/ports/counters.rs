//! What hosts count together: the limits of a provider, and budgets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::meter::{Bound, Taken, Want};

/// Something that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// All who use this name count together, whichever pipeline they belong to. At most 200 bytes of ASCII, and no secret.
    pub name: Arc<str>,
    /// What bounds it now: the word of the one who asks, which may change from one call to the next.
    pub bound: Bound,
    /// It may be forgotten so long after its last change; then nothing is used. `None` keeps it for ever.
    pub keep: Option<Duration>,
}

/// Amounts that all hosts with one store use together, exactly: by the rule of [`Meter`](crate::model::meter::Meter) and the clock of
/// the store, so that the clocks of hosts do not count.
///
/// A counter that was never changed is at zero. Callers take slices, not single units, so that few calls need a round trip.
#[async_trait]
pub trait Counters: Send + Sync {
    /// Takes what is wanted, as one step: nobody else can take the same. A dropped call might still take it, and what is
    /// taken and not used is lost until it becomes free by itself.
    ///
    /// # Errors
    /// The store does not answer, and perhaps took it.
    async fn take(&self, counter: &Counter, want: Want) -> Result<Taken, StoreError>;

    /// Adds what was used beyond what was taken, or gives back, below zero, what was not used; whatever the bound, and not
    /// below zero in all. A dropped call might still change it.
    ///
    /// # Errors
    /// The store does not answer, and perhaps changed it.
    async fn settle(&self, counter: &Counter, change: i64) -> Result<(), StoreError>;

    /// Notes that at least so much is used, as the provider says, or what else was kept. Cancel-safe: the same word again
    /// changes nothing.
    ///
    /// # Errors
    /// The store does not answer.
    async fn raise(&self, counter: &Counter, used: u64) -> Result<(), StoreError>;
}
