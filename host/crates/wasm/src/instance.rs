//! One instance of a stage: a store, the guest in it, and what is reset for each call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::{Engine, Store, UpdateDeadline};

use super::exports::{Exports, Linked};
use super::limits::CpuMeter;
use super::output::Tail;
use super::state::{CallState, Surroundings};
use gristmill_core::ports::Call;

/// Maximum component model resources a guest may hold.
const MOST_HANDLES: usize = 1_000;

/// A store and the guest in it.
pub(super) struct Instance {
    store: Store<CallState>,
    /// `None` until it is created, within the limits of its first call.
    guest: Option<Exports>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let state = self.store.data();
        state.surroundings.largest.fetch_max(state.memory.used(), Ordering::Relaxed);
    }
}

impl Instance {
    /// A store in which nothing runs yet.
    pub(super) fn empty(engine: &Engine, surroundings: &Arc<Surroundings>) -> Self {
        let mut store = Store::new(engine, CallState::new(Arc::clone(surroundings)));
        store.limiter(|state| &mut state.memory);
        store.set_max_component_handles(MOST_HANDLES);
        store.epoch_deadline_callback(|mut store| match store.data_mut().cpu.check() {
            Ok(()) => Ok(UpdateDeadline::Yield(1)),
            Err(hit) => Err(wasmtime::Error::new(hit)),
        });
        Self { store, guest: None }
    }

    /// Starts a call: resets everything that is counted per call, whatever earlier calls have used up. Returns the
    /// buffer for what the call prints.
    pub(super) fn begin(&mut self, calls: &[Call]) -> Tail {
        let state = self.store.data_mut();
        state.begin(calls);
        let printed = state.printed.clone();
        // Twice the output limit, so that the host reports a moderate excess as such instead of a trap here.
        let output = state.surroundings.limits.output.as_usize();
        self.store.set_hostcall_fuel(output.saturating_mul(2).saturating_add(1 << 20));
        self.store.set_epoch_deadline(1);
        printed
    }

    /// What the call uses of its CPU time.
    pub(super) fn meter(&self) -> Arc<CpuMeter> {
        Arc::clone(&self.store.data().cpu)
    }

    /// The guest, once it is created.
    pub(super) fn guest(&mut self) -> Option<(&Exports, &mut Store<CallState>)> {
        self.guest.as_ref().map(|guest| (guest, &mut self.store))
    }

    /// Creates the guest. It is not ready for items before its `init`.
    pub(super) async fn make(&mut self, linked: &Linked) -> wasmtime::Result<(&Exports, &mut Store<CallState>)> {
        let guest = linked.instantiate(&mut self.store).await?;
        Ok((self.guest.insert(guest), &mut self.store))
    }

    /// Whether enough memory is left for another call. Memory never shrinks: what one item needed, or a stage forgets
    /// to free, is not available to the next.
    pub(super) fn has_room(&self) -> bool {
        self.store.data().memory.is_half_free()
    }
}
