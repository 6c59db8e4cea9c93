//! Several pipelines side by side: one that stops by itself is reported, and the others continue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::failure::Failure;

/// How often the stop of a pipeline is reported again while others run.
const REMINDER: Duration = Duration::from_secs(60);

/// A pipeline that has ended, and how many still run.
pub(super) struct Ended {
    pub(super) name: Arc<str>,
    pub(super) result: Result<(), Failure>,
    pub(super) others: usize,
}

/// Whether a failure is reported for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    New,
    Again,
}

/// Logs that a pipeline stopped by itself.
pub(super) fn log(name: &str, failure: &Failure, report: Report) {
    match report {
        Report::New => tracing::error!(pipeline = name, "stopped by itself, others continue: {failure}"),
        Report::Again => tracing::error!(pipeline = name, "still stopped, others continue: {failure}"),
    }
}

/// Waits until the last pipeline has ended: told to stop, or by itself. One that stops by itself is reported, again every
/// minute while others run; those continue.
///
/// # Errors
/// The worst of the failures, when all have ended.
pub(super) async fn until_all_end(
    mut ended: UnboundedReceiver<Ended>,
    mut report: impl FnMut(&str, &Failure, Report),
) -> Result<(), Failure> {
    let mut failed: Vec<(Arc<str>, Failure)> = Vec::new();
    let mut remind_at = Instant::now();
    loop {
        let next = tokio::select! {
            next = ended.recv() => next,
            () = tokio::time::sleep_until(remind_at), if !failed.is_empty() => {
                failed.iter().for_each(|(name, failure)| report(name, failure, Report::Again));
                remind_at += REMINDER;
                continue;
            }
        };
        let Some(Ended { name, result, others }) = next else { break };
        if let Err(failure) = result {
            if others > 0 {
                report(&name, &failure, Report::New);
            }
            if failed.is_empty() {
                remind_at = Instant::now() + REMINDER;
            }
            failed.push((name, failure));
        }
        if others == 0 {
            break;
        }
    }
    failed.into_iter().map(|(_, failure)| failure).max_by_key(Failure::severity).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    type Run = (&'static str, u64, Result<(), Failure>);

    fn policy() -> Result<(), Failure> {
        Err(Failure::Policy(anyhow::anyhow!("too many")))
    }

    /// Runs in the order of their ends.
    async fn reported(runs: Vec<Run>) -> (Vec<(String, Report, u64)>, Result<(), Failure>) {
        let (begun, mut reported) = (Instant::now(), Vec::new());
        let (sender, ended) = unbounded_channel();
        let count = runs.len();
        tokio::spawn(async move {
            for (index, (name, at, result)) in runs.into_iter().enumerate() {
                tokio::time::sleep_until(begun + Duration::from_secs(at)).await;
                let _ = sender.send(Ended { name: name.into(), result, others: count - index - 1 });
            }
            std::future::pending::<()>().await;
        });
        let report = |name: &str, _: &Failure, how| reported.push((name.to_owned(), how, begun.elapsed().as_secs()));
        let ended = until_all_end(ended, report).await;
        (reported, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_is_reported_again_every_minute_while_others_continue() {
        let (reported, ended) = reported(vec![("a", 10, policy()), ("b", 200, Ok(()))]).await;
        let a = |how, at| ("a".to_owned(), how, at);
        assert_eq!(reported, [a(Report::New, 10), a(Report::Again, 70), a(Report::Again, 130), a(Report::Again, 190)]);
        assert!(matches!(ended, Err(Failure::Policy(_))), "the others' success does not hide it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_worst_failure_is_the_one_that_counts() {
        let broken = || Err(Failure::Running(anyhow::anyhow!("broken")));
        for runs in [
            vec![("a", 1, policy()), ("b", 2, broken()), ("c", 3, Ok(()))],
            vec![("a", 1, broken()), ("b", 2, policy())],
        ] {
            assert!(matches!(reported(runs).await.1, Err(Failure::Running(_))));
        }
        assert!(reported(vec![("a", 1, Ok(())), ("b", 2, Ok(()))]).await.1.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_reported_by_the_exit_alone() {
        let (reported, ended) = reported(vec![("a", 1, policy())]).await;
        assert!(reported.is_empty() && ended.is_err());
    }
}
