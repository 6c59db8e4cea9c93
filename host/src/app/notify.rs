//! What the service manager (systemd) is told: that the host runs, reloads and stops, and that it makes progress. Where none
//! listens, nothing is said; that something could not be said never matters to a pipeline.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::flow::{Intake, Status};
use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::host::Host;

/// How often progress is reported at least: the status line is that old at most.
const LONGEST: Duration = Duration::from_secs(10);
/// And at most, however short the watchdog's patience is.
const SHORTEST: Duration = Duration::from_millis(100);

/// The service manager of this process, if it has one.
#[derive(Debug, Clone, Copy)]
pub struct ServiceManager {
    /// How often progress is reported. `None` if nobody listens.
    every: Option<Duration>,
}

impl ServiceManager {
    /// The one that has started this process, by the variables that it sets: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` if it ends
    /// a process that makes no progress for so long.
    #[must_use]
    pub fn of_this_process() -> Self {
        let every = std::env::var_os("NOTIFY_SOCKET").map(|_| interval(sd_notify::watchdog_enabled()));
        Self { every }
    }

    /// The pipelines are being loaded, which may take minutes: new stages are compiled.
    pub fn loading(self, pipelines: usize) {
        tell(&[NotifyState::Status(&format!("loading {}", counted(pipelines, "pipeline")))]);
    }

    /// All pipelines are connected.
    pub fn ready(self) {
        tell(&[NotifyState::Ready]);
    }

    /// The files are being read again. To be followed by [`ready`](Self::ready), whether anything changed or not.
    pub fn reloading(self) {
        // Without the time systemd 253 and later would end the process, so it is both or nothing.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
    }

    /// Reports progress, and that the host stops once `shutdown` is cancelled. Progress is that the main loop of every
    /// pipeline answers: one that hangs is never reported alive, and neither is the host.
    pub async fn watch(self, host: &Host, shutdown: &CancellationToken) -> Infallible {
        let Some(every) = self.every else { return std::future::pending().await };
        let stopping = async {
            shutdown.cancelled().await;
            tell(&[NotifyState::Stopping]);
            std::future::pending().await
        };
        tokio::select! {
            never = progress(every, async || line(&statuses(host).await), tell) => never,
            never = stopping => never,
        }
    }
}

/// Four reports fit into the watchdog's patience, so that one may be late on a busy machine.
fn interval(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(LONGEST, |patience| (patience / 4).clamp(SHORTEST, LONGEST))
}

/// Reports progress each time that there is an answer.
async fn progress(every: Duration, ask: impl AsyncFn() -> String, tell: impl Fn(&[NotifyState<'_>])) -> Infallible {
    loop {
        let status = ask().await;
        tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
        tokio::time::sleep(every).await;
    }
}

/// The state of every pipeline that runs, as its main loop tells it. Waits for each as long as it takes.
async fn statuses(host: &Host) -> Vec<(Arc<str>, Status)> {
    let mut statuses = Vec::new();
    for name in host.names() {
        // One that has just ended has none.
        if let Ok(status) = answer(host, &name).await {
            statuses.push((name, status));
        }
    }
    statuses
}

async fn answer(host: &Host, name: &str) -> Result<Status, Failure> {
    let mut status = pin!(host.status(name));
    match tokio::time::timeout(LONGEST, &mut status).await {
        Ok(answer) => answer,
        Err(_) => {
            tracing::warn!(pipeline = name, waited = ?LONGEST, "its main loop does not answer");
            status.await
        }
    }
}

/// The status line. One line, because the protocol is one of lines.
fn line(statuses: &[(Arc<str>, Status)]) -> String {
    let jobs = statuses.iter().map(|(_, status)| status.queues.jobs).sum();
    let mut line = format!("{}, {} in flight", counted(statuses.len(), "pipeline"), counted(jobs, "job"));
    for (name, status) in statuses {
        match (status.intake, &status.throttled) {
            (Intake::Draining, _) => line += &format!("; {name} drains"),
            (Intake::Paused, _) => line += &format!("; {name} is paused by an operator"),
            (Intake::Open, Some((wait, _))) => line += &format!("; {name} is paused for {} s", wait.as_secs() + 1),
            (Intake::Open, None) => {}
        }
    }
    line
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use gristmill_core::ports::{PauseReason, Queues};

    use super::*;

    fn status(intake: Intake, jobs: usize) -> Status {
        let queues = Queues { jobs, ..Queues::default() };
        Status { intake, throttled: None, held: 0, queues, deployment: 1, partitions: Vec::new() }
    }

    #[test]
    fn the_line_says_what_holds_pipelines_up() {
        assert_eq!(line(&[("a".into(), status(Intake::Open, 1))]), "1 pipeline, 1 job in flight");
        let limited = Some((Duration::from_millis(11_500), PauseReason::Store("a\nb".to_owned())));
        let statuses = [
            ("a".into(), status(Intake::Paused, 0)),
            ("b".into(), Status { throttled: limited, ..status(Intake::Open, 4) }),
            ("c".into(), status(Intake::Draining, 2)),
        ];
        assert_eq!(
            line(&statuses),
            "3 pipelines, 6 jobs in flight; a is paused by an operator; b is paused for 12 s; c drains"
        );
    }

    #[test]
    fn four_reports_fit_into_the_patience_of_the_watchdog() {
        assert_eq!(interval(None), LONGEST);
        assert_eq!(interval(Some(Duration::from_secs(120))), LONGEST);
        assert_eq!(interval(Some(Duration::from_secs(8))), Duration::from_secs(2));
        assert_eq!(interval(Some(Duration::ZERO)), SHORTEST, "never a loop without rest");
    }

    #[tokio::test(start_paused = true)]
    async fn a_main_loop_that_hangs_is_never_reported_alive() {
        let (asked, told) = (Cell::new(0), RefCell::new(Vec::new()));
        let ask = async || {
            asked.set(asked.get() + 1);
            match asked.get() {
                1 | 2 => "works".to_owned(),
                _ => std::future::pending().await,
            }
        };
        let tell = |states: &[NotifyState<'_>]| told.borrow_mut().extend(states.iter().map(ToString::to_string));
        let hour = Duration::from_secs(60 * 60);
        assert!(tokio::time::timeout(hour, progress(LONGEST, ask, tell)).await.is_err());
        assert_eq!(*told.borrow(), ["WATCHDOG=1", "STATUS=works", "WATCHDOG=1", "STATUS=works"]);
    }
}
