//! The engines: one that runs stages, made for many short-lived instances, and those that try a module out.

use std::num::NonZeroUsize;

use wasmtime::component::Component;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Strategy,
};

use super::backtrace::MOST_FRAMES;
use super::limits::TICK;

/// Maximum core instances per component. A Rust component has about 4, a Python one more than 20.
const CORE_INSTANCES_EACH: u32 = 50;
/// Maximum memories, and maximum tables, per component. All instances may have that many at once: only addresses are
/// reserved for those that have fewer.
const MEMORIES_EACH: u32 = 4;
const TABLES_EACH: u32 = 16;
/// How many bytes of each memory stay with the process while no instance uses it.
const RESIDENT_EACH: usize = 1 << 20;
/// The stack of code by Winch, which keeps all locals there: several times what optimised code needs, which gets 512 KiB.
const BASELINE_STACK: usize = 2 << 20;

/// The engine that runs stages: so many instances at a time, each with at most so many bytes of memory. Its clock is a thread
/// that ends with it.
pub(super) fn serving(instances: usize, largest_memory: usize) -> anyhow::Result<Engine> {
    let instances = u32::try_from(instances).unwrap_or(u32::MAX);
    let several = |each: u32| instances.saturating_mul(each);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(several(CORE_INSTANCES_EACH))
        .max_core_instances_per_component(CORE_INSTANCES_EACH)
        .total_memories(several(MEMORIES_EACH))
        .max_memories_per_component(MEMORIES_EACH)
        .total_tables(several(TABLES_EACH))
        .max_tables_per_component(TABLES_EACH)
        .table_elements(20_000)
        .total_stacks(instances)
        .max_memory_size(largest_memory)
        // What lies below this bound is reset in place; the rest is released, and each page of it is a fault when it is
        // touched again. A stage with a small stack fits in, and a fresh instance of it costs half: docs/performance.md.
        .linear_memory_keep_resident(RESIDENT_EACH)
        .table_keep_resident(16 << 10)
        // It would tell which pages were touched. But on a busy machine the kernel (6.18) was seen to stay in that one
        // call for minutes, until a signal came: a worker thread hung, and its job.
        .pagemap_scan(Enabled::No);
    let mut config = common(Strategy::Cranelift);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).memory_init_cow(true);
    started(&config)
}

/// Compiles a component for one look at it: the code runs once, so compiling is to be cheap and not the code. Blocks.
pub(super) fn compile_to_try(wasm: &[u8]) -> anyhow::Result<Component> {
    // In a seventh of the time that optimised code takes. Winch is of Wasmtime's first tier on this architecture only, and
    // wants more of the processor for vectors than Cranelift does.
    if cfg!(target_arch = "x86_64")
        && let Ok(component) = Component::new(&baseline()?, wasm)
    {
        return Ok(component);
    }
    Ok(Component::new(&unoptimised()?, wasm)?)
}

fn baseline() -> anyhow::Result<Engine> {
    let mut config = common(Strategy::Winch);
    config.max_wasm_stack(BASELINE_STACK).async_stack_size(2 * BASELINE_STACK);
    started(&config)
}

fn unoptimised() -> anyhow::Result<Engine> {
    let mut config = common(Strategy::Cranelift);
    // Without the second, the first saves nothing.
    config.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    started(&config)
}

/// What a component may be, and how it can be ended, is the same for all.
fn common(compiler: Strategy) -> Config {
    let mut config = Config::new();
    config
        .strategy(compiler)
        .epoch_interruption(true)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        // A backtrace has the names of functions, not the places in them: nobody asks where in a module an address lies.
        .generate_address_map(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(MOST_FRAMES));
    config
}

/// Starts an engine and its clock: a thread that advances the epoch, holds the engine weakly and ends with it.
fn started(config: &Config) -> anyhow::Result<Engine> {
    let engine = Engine::new(config)?;
    let weak = engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with one core module, whose one function calls a typed reference to a function.
    const TYPED_CALL: &[u8] = b"\0asm\x0d\0\x01\0\x01\x1c\0asm\x01\0\0\0\
        \x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x08\x01\x06\0\xd0\0\x14\0\x0b";

    #[test]
    fn what_winch_does_not_know_is_tried_with_other_code() {
        assert!(Component::new(&baseline().unwrap(), TYPED_CALL).is_err(), "use something else here");
        compile_to_try(TYPED_CALL).unwrap();
    }
}
