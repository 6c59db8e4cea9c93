//! The threads that answer.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// A runtime of its own: on that of the pipelines, each step of an answer would wait behind all stages that compute, of which
/// there can be thousands. The system shares the cores between both.
pub(super) struct Threads {
    handle: Handle,
    /// `None` while they end.
    runtime: Option<Runtime>,
}

impl Threads {
    /// One thread is enough: whatever takes long has its own.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("api").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs this there.
    pub(super) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.handle.spawn(task)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A task must not wait for the end of threads.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Long, for a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn it_answers_while_all_threads_of_the_pipelines_compute() {
        let threads = Threads::start().unwrap();
        let (answered, answer) = std::sync::mpsc::channel();
        let pipelines = Builder::new_current_thread().build().unwrap();
        pipelines.block_on(async {
            drop(threads.spawn(async move { answered.send(std::thread::current().name().map(str::to_owned)) }));
            // This thread computes: nothing else of its runtime gets on.
            assert_eq!(answer.recv_timeout(PATIENCE).unwrap().as_deref(), Some("api"));
        });
    }

    #[tokio::test]
    async fn they_end_with_what_still_runs_there_and_from_within_a_task() {
        let threads = Threads::start().unwrap();
        let endless = threads.spawn(std::future::pending::<()>());
        // A runtime that is dropped in a task panics.
        drop(threads);
        let ended = tokio::time::timeout(PATIENCE, endless).await.unwrap();
        assert!(ended.unwrap_err().is_cancelled());
    }
}
