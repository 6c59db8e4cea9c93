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
