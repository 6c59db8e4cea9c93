//! The time that this thread computes: unlike the time on the wall, other work on the machine hardly changes it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long the thread computes for a call.
pub(crate) fn time<T>(call: impl FnOnce() -> T) -> Duration {
    let start = now();
    let result = call();
    let took = now().saturating_sub(start);
    drop(result);
    took
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}
