//! What the task behind a source tells: what it has joined and lost, and for observers that it turns, how much it has read
//! ahead, what happened to entries that should not happen, and whether Redis answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gristmill_core::model::{Event, Generation, Size};
use gristmill_core::ports::{Fate, Notice, Reach};
use redis::RedisError;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::counts::{Counts, Seen};
use super::outage::Outage;

/// How often a turn is told. Between two turns lies at most a beat, which is a handful of commands: each ends within 42 s, 10
/// to connect, 30 for an answer and 2 that it waits itself.
const INTERVAL: Duration = Duration::from_secs(5);

/// What was read and is not handed out yet: the task adds, the source removes.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Ahead {
    pub(super) fn add(&self, events: &[Event]) {
        self.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(events.size() as u64, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, events: &[Event]) {
        self.events.fetch_sub(events.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_sub(events.size() as u64, Ordering::Relaxed);
    }

    fn size(&self) -> (u64, u64) {
        (self.events.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// What the task tells the source beside events.
#[derive(Debug)]
pub(super) enum Control {
    /// The stream is ours to read from now on.
    Joined { generation: Generation, hosts: usize },
    /// The number of hosts that share the work has changed.
    Hosts { generation: Generation, hosts: usize },
    /// Another host has our name, and with it all that was in work.
    Lost,
    /// How many entries are not settled.
    Lag(u64),
    /// Something for observers.
    Notice(Notice),
    /// Nothing comes any more.
    Ended(anyhow::Error),
}

/// The way of the task to the source, and what observers were told so far.
pub(super) struct News {
    control: UnboundedSender<Control>,
    counts: Arc<Counts>,
    ahead: Arc<Ahead>,
    outage: Outage,
    /// When the next turn is to be told.
    due: Instant,
    told: Seen,
    /// Events and bytes.
    told_ahead: Option<(u64, u64)>,
}

impl News {
    /// Of this stream. The first turn is told at once.
    pub(super) fn new(stream: &str, control: UnboundedSender<Control>, counts: Arc<Counts>, ahead: Arc<Ahead>) -> Self {
        let outage = Outage::of(format!("stream {stream}"));
        Self { control, counts, ahead, outage, due: Instant::now(), told: Seen::default(), told_ahead: None }
    }

    pub(super) fn tell(&self, control: Control) {
        // Nobody listens if the source was dropped; then the task is stopped.
        let _ = self.control.send(control);
    }

    /// The task has come round once more: tells that every few seconds, and at once what was counted since.
    pub(super) fn turned(&mut self) {
        let seen = self.counts.seen();
        let before = std::mem::replace(&mut self.told, seen);
        for (fate, records) in [
            (Fate::Trimmed, seen.trimmed - before.trimmed),
            (Fate::Taken, seen.taken - before.taken),
            (Fate::Restored, seen.restored - before.restored),
            (Fate::Claimed, seen.claimed - before.claimed),
        ] {
            if records > 0 {
                self.tell(Control::Notice(Notice::Irregular { fate, records }));
            }
        }
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + INTERVAL;
        self.tell(Control::Notice(Notice::Turn));
        let size = self.ahead.size();
        if self.told_ahead.replace(size) != Some(size) {
            let (records, bytes) = size;
            self.tell(Control::Notice(Notice::ReadAhead { records, bytes }));
        }
    }

    /// Redis does not answer as it should. Returns how long to leave it alone.
    pub(super) fn failed(&mut self, error: &RedisError) -> Duration {
        if !self.outage.goes_on() {
            self.tell(Control::Notice(Notice::Broker(Reach::Lost(error.to_string()))));
        }
        self.outage.failed(error)
    }

    /// Redis has answered.
    pub(super) fn answered(&mut self) {
        if self.outage.goes_on() {
            self.tell(Control::Notice(Notice::Broker(Reach::Back)));
        }
        self.outage.ended();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    struct Told(UnboundedReceiver<Control>);

    impl Told {
        fn notices(&mut self) -> Vec<Notice> {
            let mut notices = Vec::new();
            while let Ok(control) = self.0.try_recv() {
                match control {
                    Control::Notice(notice) => notices.push(notice),
                    other => panic!("{other:?}"),
                }
            }
            notices
        }
    }

    fn news(counts: &Arc<Counts>) -> (News, Told) {
        let (control, told) = unbounded_channel();
        (News::new("s", control, Arc::clone(counts), Arc::default()), Told(told))
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_told_every_five_seconds_and_what_should_not_happen_at_once() {
        let counts = Arc::<Counts>::default();
        let (mut news, mut told) = news(&counts);
        news.turned();
        assert_eq!(told.notices(), [Notice::Turn, Notice::ReadAhead { records: 0, bytes: 0 }]);
        news.turned();
        assert_eq!(told.notices(), []);
        counts.add(Seen { trimmed: 2, claimed: 1, ..Seen::default() });
        news.turned();
        let irregular = |fate, records| Notice::Irregular { fate, records };
        assert_eq!(told.notices(), [irregular(Fate::Trimmed, 2), irregular(Fate::Claimed, 1)]);
        counts.add(Seen { trimmed: 1, restored: 4, taken: 5, ..Seen::default() });
        tokio::time::advance(INTERVAL).await;
        news.turned();
        let more = [irregular(Fate::Trimmed, 1), irregular(Fate::Taken, 5), irregular(Fate::Restored, 4)];
        assert_eq!(told.notices(), [&more[..], &[Notice::Turn]].concat(), "only what is new");
    }

    #[tokio::test]
    async fn an_outage_is_told_when_it_begins_and_when_it_ends() {
        let error = RedisError::from(std::io::Error::other("down"));
        let (mut news, mut told) = news(&Arc::default());
        news.answered();
        news.failed(&error);
        news.failed(&error);
        let heard = told.notices();
        assert!(matches!(&heard[..], [Notice::Broker(Reach::Lost(why))] if why.contains("down")), "{heard:?}");
        news.answered();
        news.answered();
        assert_eq!(told.notices(), [Notice::Broker(Reach::Back)]);
    }
}
