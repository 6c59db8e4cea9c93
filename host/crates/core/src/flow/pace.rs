//! How long jobs compute, and how many of them one task should carry.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The most events in one task: beyond that, a task costs next to nothing for each.
const MOST: u64 = 32;
/// Nothing was measured yet.
const UNKNOWN: u64 = u64::MAX;

/// The average computing time of a job, in nanoseconds, of about the last eight groups.
#[derive(Clone)]
pub(super) struct Pace(Arc<AtomicU64>);

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(UNKNOWN)))
    }
}

impl Pace {
    /// How many events a task should carry whose jobs are to compute for so long. 1 as long as nothing is known.
    pub(super) fn group_size(&self, span: Duration) -> usize {
        size(self.0.load(Ordering::Relaxed), span)
    }

    /// Does the work of so many jobs and notes how long it computed; waiting does not count.
    pub(super) async fn measure<T>(self, jobs: usize, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut computed = Duration::ZERO;
        let done = poll_fn(|context| {
            let begun = Instant::now();
            let polled = work.as_mut().poll(context);
            computed += begun.elapsed();
            polled
        })
        .await;
        self.note(u64::try_from(computed.as_nanos()).unwrap_or(u64::MAX) / (jobs.max(1) as u64));
        done
    }

    /// Two groups that end at the same moment may count as one.
    fn note(&self, each: u64) {
        let before = self.0.load(Ordering::Relaxed);
        let now = if before == UNKNOWN { each } else { before - before / 8 + each / 8 };
        self.0.store(now.min(UNKNOWN - 1), Ordering::Relaxed);
    }
}

fn size(each: u64, span: Duration) -> usize {
    let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    usize::try_from((span / each.max(1)).clamp(1, MOST)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_millis(2);

    #[test]
    fn short_jobs_share_a_task_and_long_ones_do_not() {
        let micros = |micros: u64| size(micros * 1_000, SPAN);
        assert_eq!([0, 8, 100, 500, 2_000, 5_000_000].map(micros), [32, 32, 20, 4, 1, 1]);
        assert_eq!(size(500_000, 4 * SPAN), 16);
        assert_eq!(size(UNKNOWN, SPAN), 1);
    }

    #[test]
    fn the_pace_follows_what_jobs_cost() {
        let pace = Pace::default();
        pace.note(10_000);
        assert_eq!(pace.group_size(SPAN), 32);
        (0..40).for_each(|_| pace.note(1_000_000));
        assert_eq!(pace.group_size(SPAN), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_is_not_computing() {
        let pace = Pace::default();
        pace.clone().measure(1, tokio::time::sleep(Duration::from_secs(9))).await;
        assert_eq!(pace.group_size(SPAN), 32);
    }
}
