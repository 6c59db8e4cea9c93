//! The task behind a source. It owns all that a member of a group has: what is in work, what is owed, and a read that is never
//! cancelled, because Redis counts an entry as delivered whether its answer is received or not.

use std::future::pending;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gristmill_core::model::{Event, Generation, Position, Size};
use redis::{RedisError, RedisResult, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::claims::Claimed;
use super::client::Link;
use super::counts::Seen;
use super::entry::{Entry, of_stream};
use super::fault::{Meaning, meaning, said};
use super::fields::{Origin, event};
use super::keeper::{Beat, Keeper};
use super::ledger::{From, Ledger};
use super::member::NoName;
use super::news::{Ahead, Control, News};
use super::outage::Outage;
use super::question::{Question, page};

/// The ends of the channels to a source.
pub(super) struct Ends {
    pub(super) news: News,
    pub(super) events: UnboundedSender<Vec<Event>>,
    pub(super) ahead: Arc<Ahead>,
    /// How many events the source may have been sent in all.
    pub(super) allowed: watch::Receiver<u64>,
    pub(super) settled: UnboundedReceiver<Vec<Position>>,
    pub(super) stop: CancellationToken,
}

/// How often things are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) beat: Duration,
    /// How long a read waits for the first entry.
    pub(super) wait: Duration,
    pub(super) claim_after: Duration,
    pub(super) close_timeout: Duration,
}

/// What is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// What we had pending before, after this.
    Before { after: Position },
    /// All of that is in work. New entries wait until it is settled.
    Settling,
    /// New entries, and those of hosts that have fallen silent.
    New,
}

pub(super) struct Reader {
    keeper: Keeper,
    link: Link,
    ends: Ends,
    pace: Pace,
    generation: Generation,
    ledger: Ledger,
    phase: Phase,
    /// Where claiming goes on, if it is due.
    claim: Option<Position>,
    sent: u64,
    hosts: usize,
    /// The average size of entries, as far as they were read.
    size: usize,
    /// Redis is left alone until then.
    rest: Instant,
}

type Reading = (Question, BoxFuture<'static, RedisResult<Value>>);

impl Reader {
    /// A reader of a group that was joined just now; `link` is for commands that wait.
    pub(super) fn new(keeper: Keeper, link: Link, ends: Ends, pace: Pace, hosts: usize) -> Self {
        Self {
            keeper,
            link,
            ends,
            pace,
            generation: Generation(1),
            ledger: Ledger::default(),
            phase: Phase::Before { after: Position(0) },
            claim: Some(Position(0)),
            sent: 0,
            hosts,
            size: 0,
            rest: Instant::now(),
        }
    }

    /// Reads until it is stopped or cannot go on, then leaves the group. Returns whether all that was settled could be
    /// acknowledged.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let joined = Control::Joined { generation: self.generation, hosts: self.hosts };
        self.ends.news.tell(joined);
        if let Err(error) = self.work().await {
            self.ends.news.tell(Control::Ended(error));
        }
        self.close().await
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        let stop = self.ends.stop.clone();
        let mut beat = interval(self.pace.beat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reading: Option<Reading> = None;
        loop {
            self.ends.news.turned();
            let rests = Instant::now() < self.rest;
            if reading.is_none() && !rests {
                reading = self.begin_read();
            }
            let wakes = self.rest;
            // Fair: what is settled must not hold up what is read, nor either of them the beat.
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(positions) = self.ends.settled.recv() => {
                    self.ledger.settle(&positions);
                    while let Ok(positions) = self.ends.settled.try_recv() {
                        self.ledger.settle(&positions);
                    }
                    if !rests {
                        self.acknowledge().await?;
                    }
                }
                (question, answer) = answered(&mut reading) => {
                    reading = None;
                    self.arrived(question, answer).await?;
                }
                _ = beat.tick(), if !rests => {
                    let before = self.generation;
                    self.beat().await?;
                    if self.generation != before {
                        // What it brings is another host's by now, as the name is under which it was asked.
                        reading = None;
                    }
                }
                changed = self.ends.allowed.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(wakes), if rests => self.acknowledge().await?,
            }
        }
    }

    /// The next question, if there is room for an answer.
    fn begin_read(&mut self) -> Option<Reading> {
        let room = usize::try_from(self.ends.allowed.borrow().saturating_sub(self.sent)).unwrap_or(usize::MAX);
        let count = page(room, self.size)?;
        if self.phase == Phase::Settling && self.ledger.is_reconciled() {
            self.phase = Phase::New;
        }
        let question = match (self.phase, self.claim) {
            (Phase::Before { after }, _) => Question::Before { after },
            (Phase::Settling, _) => return None,
            (Phase::New, Some(from)) => Question::Claim { idle: self.pace.claim_after, from },
            (Phase::New, None) => Question::New { wait: self.pace.wait },
        };
        let command = question.command(&self.keeper.names, self.keeper.consumer(), count);
        let mut link = self.link.clone();
        Some((question, async move { command.query_async(&mut link).await }.boxed()))
    }

    async fn arrived(&mut self, question: Question, answer: RedisResult<Value>) -> anyhow::Result<()> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                // An answer that was lost may have delivered entries to us that we know nothing of.
                self.phase = Phase::Before { after: Position(0) };
                return self.failed(error).await;
            }
        };
        self.ends.news.answered();
        let done = match question {
            Question::Before { .. } => {
                let entries = of_stream(answer)?;
                self.phase = match entries.last() {
                    Some(last) => Phase::Before { after: last.position },
                    None => Phase::Settling,
                };
                self.take(entries, question).await
            }
            Question::New { .. } => self.take(of_stream(answer)?, question).await,
            Question::Claim { .. } => {
                let Claimed { next, entries, deleted } = Claimed::of(answer)?;
                self.claim = next;
                self.keeper.note_lost(&deleted);
                let claimed = entries.len() as u64;
                if claimed > 0 {
                    let stream = &*self.keeper.names.stream;
                    tracing::info!(stream, claimed, "took over entries of consumers that have fallen silent");
                    self.keeper.counts.add(Seen { claimed, ..Seen::default() });
                }
                self.take(entries, question).await
            }
        };
        self.note(done).await
    }

    /// Hands entries to the source, those that were delivered before with how often.
    async fn take(&mut self, entries: Vec<Entry>, question: Question) -> RedisResult<()> {
        let from = match question {
            Question::Before { .. } => From::Before,
            Question::New { .. } | Question::Claim { .. } => From::Now,
        };
        let (mut trimmed, mut taken) = (Vec::new(), Vec::new());
        for Entry { position, fields } in entries {
            match fields {
                None => trimmed.push(position),
                Some(fields) if self.ledger.begin(position, from) => taken.push((position, fields)),
                Some(_) => {}
            }
        }
        let positions: Vec<Position> = taken.iter().map(|(position, _)| *position).collect();
        let counted = match question {
            Question::New { .. } => None,
            // How often does not matter enough to lose an entry that is in the ledger already.
            Question::Before { .. } | Question::Claim { .. } => {
                Some(self.keeper.deliveries(&positions).await.unwrap_or_default())
            }
        };
        let events: Vec<Event> = taken
            .into_iter()
            .map(|(position, fields)| {
                let deliveries =
                    counted.as_ref().map_or(Some(NonZeroU32::MIN), |counted| counted.get(&position).copied());
                let (stream, generation) = (Arc::clone(&self.keeper.names.stream), self.generation);
                event(fields, Origin { stream, position, generation, deliveries })
            })
            .collect();
        if !events.is_empty() {
            let bytes: usize = events.iter().map(Size::size).sum();
            self.size = bytes / events.len();
            self.sent += events.len() as u64;
            self.ends.ahead.add(&events);
            let _ = self.ends.events.send(events);
        }
        if trimmed.is_empty() { Ok(()) } else { self.keeper.give_up(&trimmed).await }
    }

    async fn acknowledge(&mut self) -> anyhow::Result<()> {
        let done = self.keeper.acknowledge(&mut self.ledger).await;
        self.note(done).await
    }

    async fn beat(&mut self) -> anyhow::Result<()> {
        match self.keeper.beat(&mut self.ledger).await {
            Ok(Beat::Alive { hosts, unsettled, found }) => {
                self.ends.news.answered();
                if let Some(records) = unsettled {
                    self.ends.news.tell(Control::Lag(records));
                }
                if hosts != self.hosts {
                    self.hosts = hosts;
                    self.ends.news.tell(Control::Hosts { generation: self.generation, hosts });
                }
                if found && self.phase == Phase::New {
                    self.phase = Phase::Before { after: Position(0) };
                }
                self.claim.get_or_insert(Position(0));
                self.acknowledge().await
            }
            Ok(Beat::NameLost) => self.rejoin().await,
            Err(error) => self.failed(error).await,
        }
    }

    /// Gives up all that is in work, and goes on under another name.
    async fn rejoin(&mut self) -> anyhow::Result<()> {
        self.ends.news.tell(Control::Lost);
        self.ledger.give_up();
        let hosts = loop {
            self.ends.news.turned();
            let stop = self.ends.stop.clone();
            let joined = tokio::select! {
                joined = self.keeper.rejoin() => joined,
                () = stop.cancelled() => return Ok(()),
            };
            match joined {
                Ok(hosts) => break hosts,
                Err(NoName::Redis(error)) if meaning(&error) != Meaning::Never => {
                    tokio::time::sleep(self.ends.news.failed(&error)).await;
                }
                // Its source says the same again.
                Err(error) => return Err(anyhow!("{error}")),
            }
        };
        self.ends.news.answered();
        self.generation = Generation(self.generation.0 + 1);
        self.hosts = hosts;
        self.phase = Phase::Before { after: Position(0) };
        self.ends.news.tell(Control::Joined { generation: self.generation, hosts });
        Ok(())
    }

    async fn note(&mut self, done: RedisResult<()>) -> anyhow::Result<()> {
        match done {
            Ok(()) => Ok(()),
            Err(error) => self.failed(error).await,
        }
    }

    /// Decides about an error: wait, create the group again, or end.
    async fn failed(&mut self, error: RedisError) -> anyhow::Result<()> {
        let error = match meaning(&error) {
            Meaning::Later => error,
            Meaning::Never => return Err(self.hopeless(error)),
            Meaning::Gone => {
                self.phase = Phase::Before { after: Position(0) };
                match self.keeper.restore(&mut self.ledger).await {
                    Ok(()) => return Ok(()),
                    Err(error) if meaning(&error) == Meaning::Never => return Err(self.hopeless(error)),
                    Err(error) => error,
                }
            }
        };
        self.rest = Instant::now() + self.ends.news.failed(&error);
        Ok(())
    }

    fn hopeless(&self, error: RedisError) -> anyhow::Error {
        said(&error).context(format!("Redis refuses to read the stream {}", self.keeper.names.stream))
    }

    /// Acknowledges what is owed for a bounded time, and leaves.
    async fn close(mut self) -> anyhow::Result<()> {
        // A read that still waits ends with its connection.
        drop(self.link);
        let deadline = Instant::now() + self.pace.close_timeout;
        while let Ok(positions) = self.ends.settled.try_recv() {
            self.ledger.settle(&positions);
        }
        let mut outage = Outage::of(format!("stream {}", self.keeper.names.stream));
        let acknowledged = timeout_at(deadline, async {
            loop {
                match self.keeper.acknowledge(&mut self.ledger).await {
                    Err(error) if meaning(&error) == Meaning::Later => {
                        tokio::time::sleep(outage.failed(&error)).await;
                    }
                    // A group that is gone has nothing to acknowledge.
                    Err(error) if meaning(&error) == Meaning::Never => return Err(error),
                    Ok(()) | Err(_) => return Ok(()),
                }
            }
        });
        let acknowledged = acknowledged.await;
        // If that fails, the others find out by our silence.
        if let Ok(Err(error)) = timeout_at(deadline, self.keeper.leave()).await {
            tracing::debug!(%error, "cannot leave the group");
        }
        let owed = self.ledger.owed(usize::MAX).len();
        match acknowledged {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(said(&error).context(format!("{owed} settled entries were not acknowledged"))),
            Err(_) => {
                Err(anyhow!("Redis does not answer: {owed} settled entries were not acknowledged, and come again"))
            }
        }
    }
}

/// The answer to what is being read, if something is. Cancel-safe.
async fn answered(reading: &mut Option<Reading>) -> (Question, RedisResult<Value>) {
    match reading {
        Some((question, answer)) => (*question, answer.await),
        None => pending().await,
    }
}
