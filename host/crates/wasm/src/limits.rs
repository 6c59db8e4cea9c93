//! What a call of a stage may use, and the typed error if it exceeds that.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gristmill_core::settings::{ByteSize, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

/// Which items of a stage may be handled in one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "isolation"))]
pub enum Isolation {
    /// Those of one call, all of one event. Each call gets a fresh instance, which is thrown away whatever happens.
    #[default]
    Item,
    /// Those of one call, which may be of several events that arrived together if the stage takes batches. Each call gets a
    /// fresh instance.
    Batch,
    /// Those of all calls, one after the other, until one breaks or is given up. The next item can see what the stage left
    /// in memory.
    Shared,
}

/// The bounds of one call of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StageLimits {
    /// All memories and tables of the instance.
    #[schemars(extend("x-min" = "1MiB", "x-max" = "1GiB"))]
    pub memory: ByteSize,
    /// CPU time, by the clock of the thread, checked every 10 ms; what the host does for the call is part of it. Neither
    /// waiting nor a busy machine counts.
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
    #[error("the stage used more than its {limit:?} of CPU time")]
    Cpu { limit: Duration },
}

/// How often the engine's epoch advances.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// What all instances of the process have, in bytes. A plain number, because each of them changes it.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryInUse(Arc<AtomicUsize>);

impl MemoryInUse {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Limits the sum of all memories and tables of a store, because a component may have many of each.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    used: usize,
    limit: usize,
    all: MemoryInUse,
}

/// Bytes that one table element costs the host.
const TABLE_ELEMENT: usize = 8;

impl MemoryLimiter {
    pub(super) fn new(limit: usize, all: MemoryInUse) -> Self {
        Self { used: 0, limit, all }
    }

    /// What the instance has, in bytes.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn is_half_free(&self) -> bool {
        self.used <= self.limit / 2
    }

    fn grow(&mut self, bytes: usize) -> wasmtime::Result<bool> {
        match self.used.checked_add(bytes).filter(|used| *used <= self.limit) {
            Some(used) => {
                self.used = used;
                self.all.0.fetch_add(bytes, Ordering::Relaxed);
                Ok(true)
            }
            // An error rather than `false`: the guest would abort on `false`, and the cause would be lost.
            None => Err(wasmtime::Error::new(LimitHit::Memory { limit: self.limit })),
        }
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.used, Ordering::Relaxed);
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

/// Measures the CPU time of one call. A call is polled on one thread at a time, but not always on the same one, so each
/// poll is a span of its own, by the clock of the thread that it runs on: neither waiting nor a busy machine counts.
#[derive(Debug)]
pub(super) struct CpuMeter {
    limit: Duration,
    /// Nanoseconds of the polls that have ended.
    spent: AtomicU64,
    /// The clock of the thread, in nanoseconds, when the present poll began.
    began: AtomicU64,
}

impl CpuMeter {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, spent: AtomicU64::new(0), began: AtomicU64::new(0) }
    }

    /// Begins another call.
    pub(super) fn reset(&self) {
        self.spent.store(0, Ordering::Relaxed);
    }

    /// Does the work and counts what it costs, for [`CpuMeter::check`] while it lasts.
    pub(super) async fn measure<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.began.store(thread_clock(), Ordering::Relaxed);
            let polled = work.as_mut().poll(context);
            // Nobody asks what a call cost that has ended: asking the clock is a system call.
            if polled.is_pending() {
                let span = u64::try_from(self.span().as_nanos()).unwrap_or(u64::MAX);
                self.spent.fetch_add(span, Ordering::Relaxed);
            }
            polled
        })
        .await
    }

    /// Whether the call may go on. To be asked by the thread that does the work.
    pub(super) fn check(&self) -> Result<(), LimitHit> {
        let spent = Duration::from_nanos(self.spent.load(Ordering::Relaxed)) + self.span();
        match spent > self.limit {
            true => Err(LimitHit::Cpu { limit: self.limit }),
            false => Ok(()),
        }
    }

    fn span(&self) -> Duration {
        Duration::from_nanos(thread_clock().saturating_sub(self.began.load(Ordering::Relaxed)))
    }
}

/// The CPU time that this thread has used so far, in nanoseconds.
fn thread_clock() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_memories_count_together() {
        let all = MemoryInUse::default();
        let mut limiter = MemoryLimiter::new(100, all.clone());
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        let error = limiter.memory_growing(0, 60, None).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&LimitHit::Memory { limit: 100 }));
        let _other = MemoryLimiter::new(100, all.clone()).memory_growing(0, 7, None);
        assert_eq!(all.bytes(), 60, "what is gone has nothing");
    }

    #[test]
    fn tables_count_too() {
        assert!(MemoryLimiter::new(100, MemoryInUse::default()).table_growing(0, 13, None).is_err());
    }

    /// Computes until this thread has used that much CPU time.
    fn compute(time: Duration) {
        let end = thread_clock() + u64::try_from(time.as_nanos()).unwrap();
        while thread_clock() < end {
            std::hint::black_box(());
        }
    }

    #[tokio::test]
    async fn computing_counts_over_several_polls_and_waiting_does_not() {
        let meter = CpuMeter::new(Duration::from_millis(20));
        let passed = meter.measure(async {
            compute(Duration::from_millis(8));
            tokio::time::sleep(Duration::from_millis(100)).await;
            compute(Duration::from_millis(8));
            let passed = meter.check();
            tokio::task::yield_now().await;
            compute(Duration::from_millis(8));
            (passed, meter.check())
        });
        assert_eq!(passed.await, (Ok(()), Err(LimitHit::Cpu { limit: Duration::from_millis(20) })));
        meter.reset();
        assert_eq!(meter.measure(async { meter.check() }).await, Ok(()), "another call begins anew");
    }
}
