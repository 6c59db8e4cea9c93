//! The pulse of the polling thread: that it turns, and how much it has read ahead, for those who watch.
//!
//! Between two beats lies at most one call that waits for a broker, because whatever makes several beats in between. A lookup
//! takes at most 10 s. A commit that is waited for takes at most a session until librdkafka knows the coordinator, and
//! `socket.timeout.ms` until it has answered: 105 s by default. Dropping a consumer waits for commits that are under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_core::ports::Notice;

use super::backlog::Backlog;

/// How often a beat is told.
const INTERVAL: Duration = Duration::from_secs(5);

/// When the next beat is due, and what was told last.
pub(super) struct Pulse {
    tell: Box<dyn Fn(Notice) + Send>,
    backlog: Arc<Backlog>,
    due: Instant,
    /// Events and bytes.
    told: Option<(usize, usize)>,
}

impl Pulse {
    /// The first beat is due at once. `tell` passes notices on to the source.
    pub(super) fn new(now: Instant, backlog: Arc<Backlog>, tell: impl Fn(Notice) + Send + 'static) -> Self {
        Self { tell: Box::new(tell), backlog, due: now, told: None }
    }

    /// The thread is alive. Costs a look at the clock; a beat is told every few seconds.
    pub(super) fn beat(&mut self, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + INTERVAL;
        (self.tell)(Notice::Turn);
        let size = self.backlog.size();
        if self.told.replace(size) != Some(size) {
            let (records, bytes) = size;
            (self.tell)(Notice::ReadAhead { records: records as u64, bytes: bytes as u64 });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_beat_is_told_every_five_seconds_however_often_the_thread_turns() {
        let (begun, backlog) = (Instant::now(), Arc::<Backlog>::default());
        let (sender, told) = mpsc::channel();
        let mut pulse = Pulse::new(begun, Arc::clone(&backlog), move |notice| sender.send(notice).unwrap());
        for tenth in 0..151 {
            pulse.beat(begun + Duration::from_millis(tenth * 100));
        }
        let ahead = Notice::ReadAhead { records: 0, bytes: 0 };
        let told: Vec<Notice> = told.try_iter().collect();
        assert_eq!(told, [Notice::Turn, ahead, Notice::Turn, Notice::Turn, Notice::Turn], "what is the same, once");
    }
}
