//! Several pipelines side by side, each with a fate of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Failure, Running, Totals};

/// How often the stop of a pipeline is told again while others run.
const REMINDER: Duration = Duration::from_secs(60);

/// Runs pipelines until each has ended: told to stop, or by itself. One that stops by itself is logged, again every
/// minute while others run; those go on.
///
/// # Errors
/// The worst of the failures, when all have ended.
pub async fn run_all(pipelines: Vec<(Running, Arc<Totals>)>) -> Result<(), Failure> {
    let runs = pipelines.into_iter().map(|(running, totals)| (running.name(), run_one(running, totals)));
    let tell = |name: &str, failure: &Failure, told: Told| match told {
        Told::New => tracing::error!(pipeline = name, "stopped by itself, others go on: {failure}"),
        Told::Again => tracing::error!(pipeline = name, "still stopped, others go on: {failure}"),
    };
    until_all_end(runs.collect(), tell).await
}

async fn run_one(running: Running, totals: Arc<Totals>) -> Result<(), Failure> {
    let (name, over) = (running.name(), CancellationToken::new());
    let run = async {
        let ended = running.run().await;
        over.cancel();
        ended
    };
    let (ended, ()) = tokio::join!(run, totals.report(&name, over.clone()));
    ended
}

/// Whether a failure is told for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    New,
    Again,
}

async fn until_all_end<R>(runs: Vec<(Arc<str>, R)>, mut tell: impl FnMut(&str, &Failure, Told)) -> Result<(), Failure>
where
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut names = BTreeMap::new();
    let mut tasks = JoinSet::new();
    for (name, run) in runs {
        names.insert(tasks.spawn(run).id(), name);
    }
    let mut failed: Vec<(Arc<str>, Failure)> = Vec::new();
    let mut remind_at = Instant::now();
    loop {
        let ended = tokio::select! {
            ended = tasks.join_next_with_id() => ended,
            () = tokio::time::sleep_until(remind_at), if !failed.is_empty() => {
                failed.iter().for_each(|(name, failure)| tell(name, failure, Told::Again));
                remind_at += REMINDER;
                continue;
            }
        };
        let (id, result) = match ended {
            None => break,
            Some(Ok(ended)) => ended,
            Some(Err(lost)) => {
                (lost.id(), Err(Failure::Running(anyhow::Error::new(lost).context("its task was lost"))))
            }
        };
        if let (Err(failure), Some(name)) = (result, names.remove(&id)) {
            if !tasks.is_empty() {
                tell(&name, &failure, Told::New);
            }
            if failed.is_empty() {
                remind_at = Instant::now() + REMINDER;
            }
            failed.push((name, failure));
        }
    }
    failed.into_iter().map(|(_, failure)| failure).max_by_key(severity).map_or(Ok(()), Err)
}

/// A pipeline that protects itself is better than one that cannot go on.
fn severity(failure: &Failure) -> u8 {
    match failure {
        Failure::Policy(_) => 0,
        Failure::Config(_) | Failure::Setup(_) => 1,
        Failure::Running(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;

    type Run = (Arc<str>, BoxFuture<'static, Result<(), Failure>>);

    fn ends(name: &str, after: u64, result: Result<(), Failure>) -> Run {
        let run = async move {
            tokio::time::sleep(Duration::from_secs(after)).await;
            result
        };
        (name.into(), run.boxed())
    }

    fn policy() -> Result<(), Failure> {
        Err(Failure::Policy(anyhow::anyhow!("too many")))
    }

    async fn told(runs: Vec<Run>) -> (Vec<(String, Told, u64)>, Result<(), Failure>) {
        let (begun, mut told) = (Instant::now(), Vec::new());
        let tell = |name: &str, _: &Failure, how| told.push((name.to_owned(), how, begun.elapsed().as_secs()));
        let ended = until_all_end(runs, tell).await;
        (told, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_is_told_again_every_minute_while_others_go_on() {
        let (told, ended) = told(vec![ends("a", 10, policy()), ends("b", 200, Ok(()))]).await;
        let a = |how, at| ("a".to_owned(), how, at);
        assert_eq!(told, [a(Told::New, 10), a(Told::Again, 70), a(Told::Again, 130), a(Told::Again, 190)]);
        assert!(matches!(ended, Err(Failure::Policy(_))), "the others' success does not hide it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_worst_failure_is_the_one_that_counts() {
        let broken = || Err(Failure::Running(anyhow::anyhow!("broken")));
        for runs in [
            vec![ends("a", 1, policy()), ends("b", 2, broken()), ends("c", 3, Ok(()))],
            vec![ends("a", 1, broken()), ends("b", 2, policy())],
        ] {
            assert!(matches!(told(runs).await.1, Err(Failure::Running(_))));
        }
        assert!(told(vec![ends("a", 1, Ok(())), ends("b", 2, Ok(()))]).await.1.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_told_by_its_exit_alone() {
        let (told, ended) = told(vec![ends("a", 1, policy())]).await;
        assert!(told.is_empty() && ended.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_leaves_the_others_running() {
        let broken: Run = ("a".into(), async { panic!("a bug") }.boxed());
        let (told, ended) = told(vec![broken, ends("b", 90, Ok(()))]).await;
        let kinds: Vec<Told> = told.into_iter().map(|(_, how, _)| how).collect();
        assert_eq!(kinds, [Told::New, Told::Again]);
        assert!(matches!(ended, Err(Failure::Running(_))));
    }
}
