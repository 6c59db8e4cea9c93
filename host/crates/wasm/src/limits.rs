//! What a call of a stage may use, and the typed error if it exceeds that.

use std::time::Duration;

use gristmill_core::settings::{ByteSize, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

/// Which calls of a stage may run in one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "isolation"))]
pub enum Isolation {
    /// None: each gets a fresh one, which is thrown away whatever happens.
    #[default]
    Item,
    /// One after the other, until one breaks or is given up. What a stage leaves in memory its next item can see.
    Shared,
}

/// The bounds of one call of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StageLimits {
    /// All memories and tables of the instance.
    #[schemars(extend("x-min" = "1MiB", "x-max" = "1GiB"))]
    pub memory: ByteSize,
    /// Computing time, without waiting for the host; in ticks of 10 ms.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "10ms", "x-max" = "10m"))]
    pub cpu: Duration,
    /// Elapsed time, including waiting for models but not waiting for a free instance.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "10ms", "x-max" = "1h"))]
    pub wall: Duration,
    /// Everything it emits.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "256MiB"))]
    pub output: ByteSize,
}

impl Default for StageLimits {
    /// 64 MiB, 5 s, 2 min, 8 MiB.
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(64),
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(120),
            output: ByteSize::mib(8),
        }
    }
}

/// A limit that a guest ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitHit {
    #[error("the stage needs more than its {limit} bytes of memory")]
    Memory { limit: usize },
    #[error("the stage computed for more than its {limit:?}")]
    Cpu { limit: Duration },
}

/// How often the engine's epoch advances.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Limits the sum of all memories and tables of a store, because a component may have many of each.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    used: usize,
    limit: usize,
}

/// Bytes that one table element costs the host.
const TABLE_ELEMENT: usize = 8;

impl MemoryLimiter {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: 0, limit }
    }

    pub(super) fn is_half_free(&self) -> bool {
        self.used <= self.limit / 2
    }

    fn grow(&mut self, bytes: usize) -> wasmtime::Result<bool> {
        match self.used.checked_add(bytes).filter(|used| *used <= self.limit) {
            Some(used) => {
                self.used = used;
                Ok(true)
            }
            // An error rather than `false`: the guest would abort on `false`, and the cause would be lost.
            None => Err(wasmtime::Error::new(LimitHit::Memory { limit: self.limit })),
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(desired.saturating_sub(current))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT))
    }
}

/// The ticks of computing time that a call has left.
#[derive(Debug)]
pub(super) struct CpuBudget {
    ticks_left: u64,
    limit: Duration,
    waited: bool,
}

impl CpuBudget {
    pub(super) fn new(limit: Duration) -> Self {
        let ticks = limit.as_millis().div_ceil(TICK.as_millis());
        Self { ticks_left: u64::try_from(ticks).unwrap_or(u64::MAX), limit, waited: false }
    }

    /// The guest has waited for the host. The epoch advanced meanwhile, so the next tick is not charged to the guest.
    pub(super) fn excuse_wait(&mut self) {
        self.waited = true;
    }

    /// An epoch ended while the guest was computing.
    pub(super) fn tick(&mut self) -> Result<(), LimitHit> {
        if std::mem::take(&mut self.waited) {
            return Ok(());
        }
        match self.ticks_left.checked_sub(1) {
            Some(left) => {
                self.ticks_left = left;
                Ok(())
            }
            None => Err(LimitHit::Cpu { limit: self.limit }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_memories_count_together() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        let error = limiter.memory_growing(0, 60, None).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&LimitHit::Memory { limit: 100 }));
    }

    #[test]
    fn tables_count_too() {
        assert!(MemoryLimiter::new(100).table_growing(0, 13, None).is_err());
    }

    #[test]
    fn waiting_for_the_host_is_not_computing() {
        let mut budget = CpuBudget::new(TICK);
        budget.excuse_wait();
        assert_eq!(budget.tick(), Ok(()));
        assert_eq!(budget.tick(), Ok(()));
        assert_eq!(budget.tick(), Err(LimitHit::Cpu { limit: TICK }));
    }
}
