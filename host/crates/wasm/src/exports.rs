//! What a component exports: found once when it is loaded, and called in each of its instances.

use std::sync::Arc;

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use super::bindings::exports::gristmill::stage::{batch_handler, handler, lifecycle};
use super::state::CallState;

/// The only export that a component can leave out.
const BATCH_HANDLER: &str = "gristmill:stage/batch-handler@0.2.2";

/// A component whose imports are linked and whose exports are found.
pub(super) struct Linked {
    component: InstancePre<CallState>,
    found: Arc<Found>,
}

/// Where in a component its exports are.
struct Found {
    lifecycle: lifecycle::GuestIndices,
    handler: handler::GuestIndices,
    batch_handler: Option<batch_handler::GuestIndices>,
}

/// The functions of one instance, each looked up when it is called: most instances live for one call.
pub(super) struct Exports {
    instance: Instance,
    found: Arc<Found>,
}

impl Linked {
    /// Fails if an export is missing that every stage has.
    pub(super) fn new(component: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let lifecycle = lifecycle::GuestIndices::new(&component)?;
        let handler = handler::GuestIndices::new(&component)?;
        let batch_handler = match component.component().get_export_index(None, BATCH_HANDLER) {
            Some(_) => Some(batch_handler::GuestIndices::new(&component)?),
            None => None,
        };
        Ok(Self { component, found: Arc::new(Found { lifecycle, handler, batch_handler }) })
    }

    pub(super) fn engine(&self) -> &Engine {
        self.component.engine()
    }

    pub(super) fn takes_batches(&self) -> bool {
        self.found.batch_handler.is_some()
    }

    pub(super) async fn instantiate(&self, store: &mut Store<CallState>) -> wasmtime::Result<Exports> {
        let instance = self.component.instantiate_async(&mut *store).await?;
        Ok(Exports { instance, found: Arc::clone(&self.found) })
    }
}

impl Exports {
    /// The instance that these are functions of.
    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(super) fn lifecycle(&self, store: &mut Store<CallState>) -> wasmtime::Result<lifecycle::Guest> {
        self.found.lifecycle.load(store, &self.instance)
    }

    pub(super) fn handler(&self, store: &mut Store<CallState>) -> wasmtime::Result<handler::Guest> {
        self.found.handler.load(store, &self.instance)
    }

    /// Fails if the component takes no batches.
    pub(super) fn batch_handler(&self, store: &mut Store<CallState>) -> wasmtime::Result<batch_handler::Guest> {
        match &self.found.batch_handler {
            Some(found) => found.load(store, &self.instance),
            None => Err(wasmtime::Error::msg("the component takes no batches")),
        }
    }
}
