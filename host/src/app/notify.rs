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
/// A source that has not said for so long that it turns hangs. It says so every 5 s, also while a revocation waits for the end
/// of its jobs, while a rebalance or a transaction goes on, and while its broker is lost. What holds it up in between is a call
/// that waits for a broker: of Kafka 105 s at most, unless `session.timeout.ms` was set to minutes; of Redis 42 s for each of a
/// handful. After so long the group of a Kafka has gone on without this host, by the default of `max.poll.interval.ms`, so
/// that ending it takes nothing from it.
const HANGS: Duration = Duration::from_secs(5 * 60);

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
    /// pipeline answers, and that its source turns: one that hangs is never reported alive, and neither is the host.
    pub async fn watch(self, host: &Host, shutdown: &CancellationToken) -> Infallible {
        let Some(every) = self.every else { return std::future::pending().await };
        let stopping = async {
            shutdown.cancelled().await;
            tell(&[NotifyState::Stopping]);
            std::future::pending().await
        };
        tokio::select! {
            never = progress(every, async || line(&pipelines(host).await), tell) => never,
            never = stopping => never,
        }
    }
}

/// Four reports fit into the watchdog's patience, so that one may be late on a busy machine.
fn interval(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(LONGEST, |patience| (patience / 4).clamp(SHORTEST, LONGEST))
}

/// A pipeline that runs.
struct PipelineNow {
    name: Arc<str>,
    /// As its main loop tells it.
    status: Status,
    /// How long ago its source said that it turns.
    silent: Option<Duration>,
}

/// Why no progress is reported.
#[derive(Debug, thiserror::Error)]
#[error("the source of the pipeline {name} hangs: it has not turned for {} s", silent.as_secs())]
struct Hangs {
    name: Arc<str>,
    silent: Duration,
}

/// Reports progress each time that there is an answer and nothing hangs.
async fn progress(
    every: Duration,
    ask: impl AsyncFn() -> Result<String, Hangs>,
    tell: impl Fn(&[NotifyState<'_>]),
) -> Infallible {
    loop {
        match ask().await {
            Ok(status) => tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]),
            Err(hangs) => {
                tracing::error!(
                    "no progress is reported, so that the service manager starts this process again: {hangs}"
                );
                tell(&[NotifyState::Status(&hangs.to_string())]);
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Every pipeline that runs. Waits for the main loop of each as long as it takes.
async fn pipelines(host: &Host) -> Vec<PipelineNow> {
    let mut pipelines = Vec::new();
    for name in host.names() {
        // One that has just ended does not count.
        if let Ok(status) = answer(host, &name).await
            && let Ok(silent) = host.of(&name, |running| running.watched.metrics.silent())
        {
            pipelines.push(PipelineNow { name, status, silent });
        }
    }
    pipelines
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

/// The status line, unless something hangs. One line, because the protocol is one of lines.
fn line(pipelines: &[PipelineNow]) -> Result<String, Hangs> {
    let jobs = pipelines.iter().map(|pipeline| pipeline.status.queues.jobs).sum();
    let mut line = format!("{}, {} in flight", counted(pipelines.len(), "pipeline"), counted(jobs, "job"));
    for PipelineNow { name, status, silent } in pipelines {
        if let Some(silent) = silent.filter(|silent| *silent >= HANGS) {
            return Err(Hangs { name: Arc::clone(name), silent });
        }
        match (status.intake, &status.throttled) {
            (Intake::Draining, _) => line += &format!("; {name} drains"),
            (Intake::Paused, _) => line += &format!("; {name} is paused by an operator"),
            (Intake::Open, Some((wait, _))) => line += &format!("; {name} is paused for {} s", wait.as_secs() + 1),
            (Intake::Open, None) => {}
        }
    }
    Ok(line)
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

    use std::time::UNIX_EPOCH;

    use gristmill_core::ports::{FlowEvent, Notice, Observer, PauseReason, Queues};
    use gristmill_telemetry::metrics::Metrics;
    use tokio::time::Instant;

    use super::*;

    fn pipeline(name: &str, intake: Intake, jobs: usize) -> PipelineNow {
        let queues = Queues { jobs, ..Queues::default() };
        let status = Status {
            intake,
            throttled: None,
            held: 0,
            queues,
            deployment: 1,
            canary: None,
            live: Vec::new(),
            partitions: Vec::new(),
        };
        PipelineNow { name: name.into(), status, silent: None }
    }

    #[test]
    fn the_line_says_what_holds_pipelines_up() {
        let line = |pipelines: &[PipelineNow]| line(pipelines).unwrap();
        assert_eq!(line(&[pipeline("a", Intake::Open, 1)]), "1 pipeline, 1 job in flight");
        let mut limited = pipeline("b", Intake::Open, 4);
        limited.status.throttled = Some((Duration::from_millis(11_500), PauseReason::Store("a\nb".to_owned())));
        let pipelines = [pipeline("a", Intake::Paused, 0), limited, pipeline("c", Intake::Draining, 2)];
        assert_eq!(
            line(&pipelines),
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
                1 | 2 => Ok("works".to_owned()),
                _ => std::future::pending().await,
            }
        };
        let tell = |states: &[NotifyState<'_>]| told.borrow_mut().extend(states.iter().map(ToString::to_string));
        let hour = Duration::from_secs(60 * 60);
        assert!(tokio::time::timeout(hour, progress(LONGEST, ask, tell)).await.is_err());
        assert_eq!(*told.borrow(), ["WATCHDOG=1", "STATUS=works", "WATCHDOG=1", "STATUS=works"]);
    }

    /// A source turns for a minute, hangs for ten, and turns again.
    #[tokio::test(start_paused = true)]
    async fn a_source_that_does_not_turn_any_more_is_not_reported_alive_until_it_does() {
        let (begun, told) = (Instant::now(), RefCell::new(Vec::new()));
        let watched = Metrics::new(UNIX_EPOCH).pipeline(&"orders".into());
        let turns = async {
            for seconds in (0..=60).step_by(5).chain((660..=720).step_by(5)) {
                tokio::time::sleep_until(begun + Duration::from_secs(seconds)).await;
                watched.observe(&FlowEvent::Notice(&Notice::Turn));
            }
        };
        let ask = async || {
            let silent = watched.silent();
            line(&[PipelineNow { silent, ..pipeline("orders", Intake::Open, 0) }, pipeline("b", Intake::Open, 0)])
        };
        let tell = |states: &[NotifyState<'_>]| {
            let states: Vec<String> = states.iter().map(ToString::to_string).collect();
            told.borrow_mut().push((begun.elapsed().as_secs(), states));
        };
        tokio::select! {
            biased;
            () = turns => {}
            never = progress(LONGEST, ask, tell) => match never {},
        }
        let told = told.into_inner();
        let fed = |states: &[String]| states.iter().any(|state| state == "WATCHDOG=1");
        let withheld: Vec<u64> = told.iter().filter(|(_, states)| !fed(states)).map(|(at, _)| *at).collect();
        assert_eq!(withheld, (360..660).step_by(10).collect::<Vec<u64>>(), "from five minutes of silence on");
        let (_, said) = told.iter().find(|(at, _)| *at == 370).unwrap();
        assert_eq!(*said, ["STATUS=the source of the pipeline orders hangs: it has not turned for 310 s"]);
    }
}
