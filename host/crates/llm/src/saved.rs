//! Tells the observer of requests that need no call of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_core::ports::{Caller, FlowEvent, ModelOperation, Observer, Observers, SavedBy};

use crate::names;

/// The observer of a pipeline, and the aliases there.
#[derive(Clone)]
pub(crate) struct Saved {
    observer: Arc<dyn Observer>,
    aliases: Arc<BTreeMap<String, ()>>,
}

impl Default for Saved {
    /// Nobody is told.
    fn default() -> Self {
        Self { observer: Arc::new(Observers::default()), aliases: Arc::default() }
    }
}

impl Saved {
    pub(crate) fn new<'a>(observer: Arc<dyn Observer>, aliases: impl Iterator<Item = &'a String>) -> Self {
        Self { observer, aliases: Arc::new(aliases.map(|name| (name.clone(), ())).collect()) }
    }

    /// A request for this alias, if it named one, was answered by this.
    pub(crate) fn tell(&self, caller: &Caller, asked: Option<&str>, operation: ModelOperation, by: SavedBy) {
        // What is not there is told where it is asked for.
        if let Ok((alias, ())) = names::find(&self.aliases, asked) {
            self.observer.observe(&FlowEvent::ModelCallSaved { caller, alias, operation, by });
        }
    }
}
