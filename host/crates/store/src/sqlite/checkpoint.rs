//! The one thread that copies the log into the file: nobody who waits for a write waits for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use rusqlite::Connection;

use super::failure::failure;
use crate::health::{Failure, Health};
use crate::worker::Worker;

/// Above this many pages (32 MiB) the log is to begin anew. It does so by itself wherever nothing is written for a moment.
const LONG: i64 = 8 << 10;

/// The thread. Dropping it waits for its end.
pub(super) struct Checkpoints {
    /// `None` while it ends, like `worker`.
    asked: Option<SyncSender<()>>,
    worker: Option<Worker>,
    log: Arc<Log>,
}

/// What the thread has seen of the log.
#[derive(Default)]
struct Log {
    is_long: AtomicBool,
    /// It could not be copied, and nobody knows what is on the disk.
    is_broken: AtomicBool,
}

impl Checkpoints {
    /// Starts the thread with a connection of its own.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(connection: Connection, max_size: u64, health: Arc<Health>) -> std::io::Result<Self> {
        // One question is enough: it covers everything written until it is taken.
        let (asked, questions) = sync_channel(1);
        let log = Arc::new(Log::default());
        let work = Work { connection, max_size, health, log: Arc::clone(&log) };
        let worker = Worker::start("store-checkpoint", move || work.run(&questions))?;
        Ok(Self { asked: Some(asked), worker: Some(worker), log })
    }

    /// Asks for a checkpoint. Returns false if that is asked already, and not begun: the thread does not keep up.
    pub(super) fn ask(&self) -> bool {
        // If it is gone, the store is broken, as the next write hears.
        !matches!(self.asked.as_ref().map(|asked| asked.try_send(())), Some(Err(TrySendError::Full(()))))
    }

    /// The same, and waits until the one that was asked for before has begun.
    pub(super) fn wait_and_ask(&self) {
        // As above.
        let _ = self.asked.as_ref().map(|asked| asked.send(()));
    }

    /// Whether the log has become long, and little of it is left to copy: said once each time.
    pub(super) fn take_long(&self) -> bool {
        self.log.is_long.swap(false, Ordering::Relaxed)
    }

    /// Whether a checkpoint has failed for good: nothing more may be written.
    pub(super) fn is_broken(&self) -> bool {
        self.log.is_broken.load(Ordering::Acquire)
    }

    /// Waits for the end of the thread. Returns whether a checkpoint has failed for good.
    pub(super) fn end(mut self) -> bool {
        self.wait();
        self.is_broken()
    }

    fn wait(&mut self) {
        drop(self.asked.take());
        self.worker.take().into_iter().for_each(Worker::wait);
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wait();
    }
}

struct Work {
    connection: Connection,
    max_size: u64,
    health: Arc<Health>,
    log: Arc<Log>,
}

impl Work {
    /// Checkpoints until nobody can ask any more, or until the first permanent failure.
    fn run(self, questions: &Receiver<()>) {
        while questions.recv().is_ok() {
            match pages(&self.connection) {
                Ok(pages) => {
                    if pages > LONG {
                        self.log.is_long.store(true, Ordering::Relaxed);
                    }
                }
                Err(error) => match failure(&error, self.max_size) {
                    Failure::Transient(reason) => {
                        tracing::debug!(reason, "the log of the state store stays for longer")
                    }
                    Failure::Broken(reason) => {
                        self.log.is_broken.store(true, Ordering::Release);
                        return self.health.fail(reason);
                    }
                },
            }
        }
    }
}

/// Copies the log into the file as far as no reader needs it. Returns how many pages the log has.
pub(super) fn pages(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}
