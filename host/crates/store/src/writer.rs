//! The one thread that writes. Requests that arrive while some are written go into the next batch, so that many callers
//! share one synchronisation of a disk, or one journey to a server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::health::{Failure, Health};
use super::records::Done;
use super::request::Request;
use gristmill_core::model::Wrote;
use gristmill_core::ports::Kept;

/// Maximum rows in one batch, exceeded by one request at most.
const BATCH_ROWS: usize = 1_024;
/// Maximum bytes in one batch, exceeded by one request at most.
const BATCH_BYTES: usize = 8 << 20;
/// No caller waits for ends of jobs to be written, so they may wait this long to share another batch.
const NOTES: Duration = Duration::from_millis(200);
/// Notes of records wait this long even if a batch is written meanwhile: by then most of their jobs have begun, and nothing is
/// left to write.
const RECORD_NOTES: Duration = Duration::from_millis(100);
/// How often an idle writer checks whether something is too old.
const IDLE: Duration = Duration::from_secs(60);

/// What became of a batch.
#[derive(Default)]
pub(super) struct Written {
    /// The earlier value, if any, for each row of each `Keep`.
    pub(super) earlier: Vec<Option<Kept>>,
    /// For each change of what stages keep, where the writer makes them.
    pub(super) wrote: Vec<Wrote>,
    /// For each change of records, those that nobody waits for included.
    pub(super) changed: Vec<Done>,
    /// For each change of deliveries.
    pub(super) delivered: Vec<Done>,
}

/// What a store writes to.
pub(super) trait Backend: Send + 'static {
    /// Writes the batch. It is empty if it is only time to see whether something is too old.
    ///
    /// # Errors
    /// After a transient failure, it must do no harm to write any of the requests again.
    fn write(&mut self, batch: &[Request]) -> Result<Written, Failure>;

    /// Does what nobody waits for, after each batch.
    fn tidy(&mut self) -> Result<(), Failure>;

    /// Whether something too old is left: then the writer does not wait for requests.
    fn is_behind(&self) -> bool;

    /// Closes what it writes to.
    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

pub(super) struct Writer<B> {
    backend: B,
    requests: Receiver<Request>,
    health: Arc<Health>,
    /// Notes of a batch that failed, for the next one: nobody waits for them, so nobody would ask again.
    again: Vec<Request>,
    /// Notes of records, and until when they wait.
    waiting: VecDeque<(Instant, Request)>,
    /// All senders are dropped: what cannot be written now is given up.
    ending: bool,
    /// The number of the last note of what was spent.
    spent: u64,
}

impl<B: Backend> Writer<B> {
    pub(super) fn new(backend: B, requests: Receiver<Request>, health: Arc<Health>) -> Self {
        let (again, waiting) = (Vec::new(), VecDeque::new());
        Self { backend, requests, health, again, waiting, ending: false, spent: 0 }
    }

    /// Writes until all senders are dropped and every request is written, or until the first permanent failure.
    pub(super) fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            let written = match self.backend.write(&batch) {
                Ok(written) => {
                    drop(answer(batch, Ok(written)));
                    self.backend.tidy()
                }
                Err(Failure::Transient(reason)) => {
                    let unwritten = answer(batch, Err(reason));
                    self.again = if self.ending { Vec::new() } else { unwritten };
                    Ok(())
                }
                Err(Failure::Broken(reason)) => {
                    // Before the batch is dropped, because that wakes its callers.
                    self.health.fail(reason);
                    return;
                }
            };
            if !self.goes_on(written) {
                return;
            }
        }
        let closed = self.backend.close();
        self.goes_on(closed);
    }

    fn goes_on(&self, done: Result<(), Failure>) -> bool {
        match done {
            Ok(()) => true,
            Err(Failure::Transient(reason)) => {
                tracing::debug!(reason, "what is too old stays for longer");
                true
            }
            Err(Failure::Broken(reason)) => {
                self.health.fail(reason);
                false
            }
        }
    }

    /// Waits for requests; the batch is empty if it is only time to check what is too old. `None` once all senders are
    /// dropped.
    fn next_batch(&mut self) -> Option<Vec<Request>> {
        let wait = match self.backend.is_behind() {
            true => Duration::ZERO,
            false if self.again.is_empty() => IDLE,
            false => NOTES,
        };
        let (mut batch, mut bytes, mut somebody_waits) = (std::mem::take(&mut self.again), 0, false);
        let mut rows = batch.len();
        let mut until = Instant::now() + wait;
        if let Some((due, _)) = self.waiting.front() {
            until = until.min(*due);
        }
        while rows < BATCH_ROWS && bytes < BATCH_BYTES {
            let wait = if somebody_waits { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
            match self.requests.recv_timeout(wait) {
                Ok(note @ Request::Note { .. }) => {
                    let due = Instant::now() + RECORD_NOTES;
                    until = until.min(due);
                    self.waiting.push_back((due, note));
                }
                Ok(mut request) => {
                    match request.awaited() {
                        Some(size) => {
                            bytes += size;
                            somebody_waits = true;
                        }
                        None => until = until.min(Instant::now() + NOTES),
                    }
                    if let Request::Spent { number, .. } = &mut request {
                        self.spent += 1;
                        *number = self.spent;
                    }
                    rows += request.rows();
                    batch.push(request);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.ending = true;
                    break;
                }
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        let now = Instant::now();
        while let Some((_, note)) = self.waiting.pop_front_if(|(due, _)| *due <= now || self.ending) {
            batch.push(note);
        }
        (!self.ending || !batch.is_empty()).then_some(batch)
    }
}

/// Answers the callers that wait, with what became of their requests, or with the reason of a transient failure. Returns the
/// notes that were not written.
fn answer(batch: Vec<Request>, written: Result<Written, String>) -> Vec<Request> {
    let (written, failure) = match written {
        Ok(written) => (written, None),
        Err(reason) => (Written::default(), Some(reason)),
    };
    let (mut earlier, mut changed, mut delivered) =
        (written.earlier.into_iter(), written.changed.into_iter(), written.delivered.into_iter());
    let mut wrote_in_order = written.wrote.into_iter();
    let mut unwritten = Vec::new();
    // The callers may have gone away. Whoever gets no answer hears that the thread has stopped.
    for request in batch {
        match (request, &failure) {
            (Request::Keep { rows, kept, .. }, None) => {
                drop(kept.send(Ok(rows.iter().map(|_| earlier.next().flatten()).collect())));
            }
            (Request::Keep { kept, .. }, Some(reason)) => drop(kept.send(Err(reason.clone()))),
            (Request::Intend { noted, .. } | Request::Answer { noted, .. }, None) => drop(noted.send(Ok(()))),
            (Request::Intend { noted, .. } | Request::Answer { noted, .. }, Some(reason)) => {
                drop(noted.send(Err(reason.clone())));
            }
            (Request::State { wrote, .. }, None) => drop(wrote_in_order.next().map(|made| wrote.send(Ok(made)))),
            (Request::State { wrote, .. }, Some(reason)) => drop(wrote.send(Err(reason.clone()))),
            (Request::Change { done, .. }, None) => drop(changed.next().map(|made| done.send(Ok(made)))),
            (Request::Deliver { done, .. }, None) => drop(delivered.next().map(|made| done.send(Ok(made)))),
            (Request::Change { done, .. } | Request::Deliver { done, .. }, Some(reason)) => {
                drop(done.send(Err(reason.clone())));
            }
            (Request::Note { .. }, None) => drop(changed.next()),
            (Request::Ended { .. } | Request::Finish { .. } | Request::Spent { .. }, None) => {}
            (
                note @ (Request::Ended { .. } | Request::Finish { .. } | Request::Spent { .. } | Request::Note { .. }),
                Some(_),
            ) => unwritten.push(note),
        }
    }
    unwritten
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use gristmill_core::model::{Act, JobId, Run, Timestamp};
    use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

    use super::*;
    use crate::records::Change;

    /// Passes on of each batch when it came, and how many of its requests are notes.
    struct Told(Sender<(Instant, usize, usize)>);

    impl Backend for Told {
        fn write(&mut self, batch: &[Request]) -> Result<Written, Failure> {
            let notes = batch.iter().filter(|request| matches!(request, Request::Note { .. })).count();
            let _ = self.0.send((Instant::now(), batch.len() - notes, notes));
            Ok(Written { changed: batch.iter().map(|_| Done::Made).collect(), ..Written::default() })
        }

        fn tidy(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        fn is_behind(&self) -> bool {
            false
        }
    }

    fn room() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
    }

    fn note() -> Request {
        let job = JobId::submitted(1, &[0; 10]);
        Request::Note { change: Change::Published(vec![(job, Run::FIRST)], Timestamp(1)), _room: room() }
    }

    fn change() -> Request {
        let (done, _) = oneshot::channel();
        let change = Change::Ask(JobId::submitted(1, &[0; 10]), Act::Cancel, Timestamp(1));
        Request::Change { change, done, _room: room() }
    }

    #[test]
    fn a_note_of_a_record_waits_for_what_makes_it_needless_and_is_never_lost() {
        let (send, requests) = channel();
        let (tell, told) = channel();
        let writer = Writer::new(Told(tell), requests, Arc::new(Health::new("s")));
        let running = thread::spawn(move || writer.run());
        let sent = Instant::now();
        send.send(note()).unwrap();
        send.send(change()).unwrap();
        let mut changes = 0;
        loop {
            let (at, others, notes) = told.recv_timeout(Duration::from_secs(60)).unwrap();
            changes += others;
            if notes > 0 {
                assert!(at - sent >= RECORD_NOTES, "after {:?}", at - sent);
                break;
            }
        }
        assert_eq!(changes, 1);
        // At the end it does not wait.
        send.send(note()).unwrap();
        drop(send);
        running.join().unwrap();
        assert_eq!(told.try_iter().map(|(_, _, notes)| notes).sum::<usize>(), 1);
    }
}
