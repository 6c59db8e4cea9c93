//! WASI over an empty context. Random numbers and clocks are the only things in it that differ from call to call: who asks
//! for them is noted.

use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::p2::bindings::{clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomCtx};

use crate::state::CallState;

/// Lets components import WASI.
pub(super) fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    random::random::add_to_linker::<_, WasiRandom>(linker, dice)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, dice)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, keys)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, clock)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, clock)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn dice(state: &mut CallState) -> &mut WasiRandomCtx {
    state.ask("random numbers");
    state.ctx().ctx.random()
}

/// What this is for is said by WASI: keys for hash maps, against who knows which of them collide.
fn keys(state: &mut CallState) -> &mut WasiRandomCtx {
    state.ask_keys();
    state.ctx().ctx.random()
}

fn clock(state: &mut CallState) -> WasiClocksCtxView<'_> {
    state.ask("the time");
    state.clocks()
}
