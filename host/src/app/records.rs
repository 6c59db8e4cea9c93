//! The records of the jobs of one pipeline, for each of those who ask.

use std::sync::Arc;

use gristmill_core::ports::{Acts, Deliveries, JobBook, Jobs, Published};

/// One store, by the ports of those who ask it.
#[derive(Clone)]
pub(super) struct Records {
    /// The flow.
    pub(super) jobs: Arc<dyn Jobs>,
    /// The API and the flow.
    pub(super) acts: Arc<dyn Acts>,
    /// The API.
    pub(super) book: Arc<dyn JobBook>,
    /// The API.
    pub(super) published: Arc<dyn Published>,
    /// The sender of webhooks and the API.
    pub(super) deliveries: Arc<dyn Deliveries>,
}

impl Records {
    pub(super) fn of<S>(store: &Arc<S>) -> Self
    where
        S: Jobs + Acts + JobBook + Published + Deliveries + 'static,
    {
        Self {
            jobs: Arc::<S>::clone(store),
            acts: Arc::<S>::clone(store),
            book: Arc::<S>::clone(store),
            published: Arc::<S>::clone(store),
            deliveries: Arc::<S>::clone(store),
        }
    }
}
