//! Events that arrived together, in one task: what a task costs is paid once, and stages can take their items in one call.
//! The jobs are independent: each ends, fails and waits on its own.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::Id;

use super::done::Done;
use super::error::FlowError;
use super::execute::{self, Start};
use super::together::Together;
use crate::model::Event;

/// A job has ended.
pub(super) struct Report {
    /// The task that ran it.
    pub(super) group: Id,
    /// The place of its event in the group.
    pub(super) index: usize,
    pub(super) done: Box<Done>,
}

/// Runs the jobs of these events, and reports each as it ends.
pub(super) async fn run(start: Start, events: Vec<Event>, report: UnboundedSender<Report>) -> Result<(), FlowError> {
    let group = tokio::task::id();
    let together = Together::new(&start.pipeline, &start.deployment);
    let job = |(index, event)| {
        let (start, together) = (&start, &together);
        // Boxed because a set of futures moves each of them several times.
        Box::pin(async move { (index, execute::job(start, together, event).await) })
    };
    let mut jobs: FuturesUnordered<_> = events.into_iter().enumerate().map(job).collect();
    let mut work = together.work();
    loop {
        tokio::select! {
            biased;
            ended = jobs.next() => match ended {
                // The main loop has gone if nobody listens, and takes no results any more.
                Some((index, done)) => drop(report.send(Report { group, index, done: done? })),
                None => return Ok(()),
            },
            () = work.next() => {}
        }
    }
}
