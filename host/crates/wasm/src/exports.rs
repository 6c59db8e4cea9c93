//! What a component exports: found once when it is loaded, and called in each of its instances.

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use super::bindings::exports::gristmill::stage::{batch_handler, handler, lifecycle};
use super::state::CallState;

/// The only export that a component can leave out.
const BATCH_HANDLER: &str = "gristmill:stage/batch-handler@0.2.0";

/// A component whose imports are linked and whose exports are found.
pub(super) struct Linked {
    component: InstancePre<CallState>,
    lifecycle: lifecycle::GuestIndices,
    handler: handler::GuestIndices,
    batch_handler: Option<batch_handler::GuestIndices>,
}

/// The functions of one instance.
pub(super) struct Exports {
    /// The instance that they are functions of.
    pub(super) instance: Instance,
    pub(super) lifecycle: lifecycle::Guest,
    pub(super) handler: handler::Guest,
    pub(super) batch_handler: Option<batch_handler::Guest>,
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
        Ok(Self { component, lifecycle, handler, batch_handler })
    }

    pub(super) fn engine(&self) -> &Engine {
        self.component.engine()
    }

    pub(super) fn takes_batches(&self) -> bool {
        self.batch_handler.is_some()
    }

    pub(super) async fn instantiate(&self, store: &mut Store<CallState>) -> wasmtime::Result<Exports> {
        let instance = self.component.instantiate_async(&mut *store).await?;
        let batch_handler = self.batch_handler.as_ref().map(|found| found.load(&mut *store, &instance)).transpose()?;
        Ok(Exports {
            instance,
            lifecycle: self.lifecycle.load(&mut *store, &instance)?,
            handler: self.handler.load(&mut *store, &instance)?,
            batch_handler,
        })
    }
}
