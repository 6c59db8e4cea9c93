//! A time in which Redis does not answer: said once, and tried again after growing waits. Pure but for the log.

use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Whether there is an outage, and when to try again.
#[derive(Debug)]
pub(super) struct Outage {
    /// What is tried, for the log.
    what: String,
    since: Option<(Instant, Duration)>,
}

impl Outage {
    pub(super) fn of(what: String) -> Self {
        Self { what, since: None }
    }

    /// Notes a failure. Returns how long to wait.
    pub(super) fn failed(&mut self, error: &RedisError) -> Duration {
        match &mut self.since {
            None => {
                tracing::warn!(what = self.what, %error, "Redis does not answer as it should; it is asked again");
                self.since = Some((Instant::now(), FIRST));
                FIRST
            }
            Some((_, wait)) => {
                *wait = (*wait * 2).min(LONGEST);
                *wait
            }
        }
    }

    /// Notes that it worked.
    pub(super) fn ended(&mut self) {
        if let Some((since, _)) = self.since.take() {
            let seconds = since.elapsed().as_secs_f32();
            tracing::info!(what = self.what, seconds, "Redis answers again");
        }
    }

    /// Whether there is one.
    pub(super) fn goes_on(&self) -> bool {
        self.since.is_some()
    }

    /// How long it has lasted.
    pub(super) fn lasted(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |(since, _)| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_up_to_a_bound_and_begin_anew() {
        let error = RedisError::from(std::io::Error::other("down"));
        let mut outage = Outage::of("s".into());
        let waits: Vec<u128> = (0..7).map(|_| outage.failed(&error).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        outage.ended();
        assert_eq!(outage.lasted(), Duration::ZERO);
        assert_eq!(outage.failed(&error), FIRST);
    }
}
