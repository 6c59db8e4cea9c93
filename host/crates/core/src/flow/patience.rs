//! What a job cannot do without, such as the state store: transient failures are waited out, with the offset held.

use std::time::Duration;

use super::error::FlowError;
use super::settings::RetryPolicy;
use super::throttle::Throttle;
use crate::model::JobId;
use crate::ports::{Hold, PauseReason, StoreError};

/// How long to wait before asking again what does not answer: 0.5 s at first, doubling up to 30 s, without end.
const WAITS: RetryPolicy = RetryPolicy {
    attempts: std::num::NonZeroU32::MAX,
    first_wait: Duration::from_millis(500),
    longest_wait: Duration::from_secs(30),
    deadline: Duration::MAX,
};

/// Asks the store until it answers. No new jobs start during the waits. Cancel-safe if the question is.
///
/// # Errors
/// If the store is broken.
pub(super) async fn until_it_answers<T, F>(
    job: &JobId,
    throttle: &Throttle,
    ask: impl Fn() -> F,
) -> Result<T, FlowError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut patience = Patience::default();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => patience.wait_or_stop(job, throttle, error).await?,
        };
    }
}

/// Counts how many times in a row there was no answer.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    /// Depending on the error, waits until the store may be asked again or stops the pipeline. No new jobs start during
    /// the wait.
    pub(super) async fn wait_or_stop(
        &mut self,
        job: &JobId,
        throttle: &Throttle,
        error: StoreError,
    ) -> Result<Duration, FlowError> {
        match error {
            StoreError::Broken { .. } => Err(FlowError::Store { job: job.clone(), source: error }),
            StoreError::Transient { .. } => Ok(self.wait(throttle, PauseReason::Store(error.to_string())).await),
        }
    }

    /// Waits until what did not answer may be asked again. No new jobs start during the wait.
    pub(super) async fn wait(&mut self, throttle: &Throttle, why: PauseReason) -> Duration {
        self.failures += 1;
        let wait = WAITS.wait(self.failures, None, fastrand::f64());
        throttle.pause(wait, why, Hold::Limit);
        tokio::time::sleep(wait).await;
        wait
    }
}
