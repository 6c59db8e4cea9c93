//! A member of a consumer group, as the flow sees it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use gristmill_core::model::{Event, Generation, Next, Partition, Position};
use gristmill_core::ports::{Demand, Signal, Source, SourceError, Start};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::client::Client;
use super::counts::{Counts, Seen};
use super::fault::{Meaning, meaning};
use super::keeper::{Keeper, Names, Terms};
use super::member::NoName;
use super::news::{Ahead, Control, News};
use super::reader::{Ends, Pace, Reader};
use super::settings::{Settings, SettingsError};

/// Which stream is read, by whom, and from where.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The stream.
    pub stream: Arc<str>,
    /// The consumer group.
    pub group: Arc<str>,
    /// Where a group begins that does not exist yet.
    pub start: Start,
}

/// A [`Source`] on a stream, which is one partition that all hosts of the group share: each entry goes to one of them.
/// Nothing is revoked from a host that lives. Dropping it without [`close`](Source::close) leaves the group too, in the
/// background and without reporting errors.
///
/// At most what was asked for last waits to be received.
pub struct RedisSource {
    name: String,
    partition: Partition,
    control: UnboundedReceiver<Control>,
    events: UnboundedReceiver<Vec<Event>>,
    /// Those that were received but not handed out yet.
    held: Vec<Event>,
    ahead: Arc<Ahead>,
    /// `None` until the group is joined, and while another host has our name.
    generation: Option<Generation>,
    /// How many events were handed out.
    taken: u64,
    allowed: watch::Sender<u64>,
    settled: UnboundedSender<Vec<Position>>,
    counts: Arc<Counts>,
    stop: CancellationToken,
    _stops: DropGuard,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    longest_close: Duration,
}

impl RedisSource {
    /// Joins the group without waiting for it: the first signal reports the assignment. Must be called in a runtime.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open(settings: &Settings, source: SourceSettings) -> Result<Self, SettingsError> {
        Self::of(&Client::of(settings)?, settings, source)
    }

    pub(super) fn of(client: &Client, settings: &Settings, source: SourceSettings) -> Result<Self, SettingsError> {
        let SourceSettings { stream, group, start } = source;
        let stop = CancellationToken::new();
        let (control_sender, control) = unbounded_channel();
        let (event_sender, events) = unbounded_channel();
        let (settled, settled_receiver) = unbounded_channel();
        let (allowed, allowed_receiver) = watch::channel(0);
        let (counts, ahead) = (Arc::<Counts>::default(), Arc::<Ahead>::default());
        let ends = Ends {
            news: News::new(&stream, control_sender, Arc::clone(&counts), Arc::clone(&ahead)),
            events: event_sender,
            ahead: Arc::clone(&ahead),
            allowed: allowed_receiver,
            settled: settled_receiver,
            stop: stop.clone(),
        };
        let pace = Pace {
            beat: settings.beat(),
            wait: settings.beat(),
            claim_after: settings.claim_after,
            close_timeout: settings.close_timeout,
        };
        let terms = Terms {
            consumer: settings.consumer.clone(),
            start,
            creation: settings.creation,
            claim_after: settings.claim_after,
            name_kept: settings.name_kept(),
            renewal: settings.renewal(),
        };
        let name = format!("{stream} (group {group})");
        let partition = Partition { topic: Arc::clone(&stream), index: 0 };
        let work = live(client.clone(), Names { stream, group }, terms, Arc::clone(&counts), ends, pace);
        Ok(Self {
            name,
            partition,
            control,
            events,
            held: Vec::new(),
            ahead,
            generation: None,
            taken: 0,
            allowed,
            settled,
            counts,
            _stops: stop.clone().drop_guard(),
            stop,
            task: Some(tokio::spawn(work)),
            // The task may wait for an answer when it is told to end.
            longest_close: settings.close_timeout * 2,
        })
    }

    /// What happened to entries that should not happen.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.counts.seen()
    }

    fn signal(&mut self, control: Option<Control>) -> Result<Signal, SourceError> {
        let assigned = |partitions, generation, all| Ok(Signal::Assigned { partitions, generation, all });
        match control {
            Some(Control::Joined { generation, hosts }) => {
                self.generation = Some(generation);
                assigned(vec![self.partition.clone()], generation, hosts)
            }
            // Nothing is assigned anew, but the share of limits changes.
            Some(Control::Hosts { generation, hosts }) => assigned(Vec::new(), generation, hosts),
            Some(Control::Lost) => {
                self.generation = None;
                // Nobody waits for it.
                let (ack, _) = oneshot::channel();
                Ok(Signal::Revoked { partitions: vec![self.partition.clone()], ack })
            }
            Some(Control::Lag(records)) => Ok(Signal::Lag { partition: self.partition.clone(), records }),
            Some(Control::Notice(notice)) => Ok(Signal::Notice(notice)),
            Some(Control::Ended(error)) => Err(self.error(error)),
            None => Err(self.error(anyhow!("the source has already ended"))),
        }
    }

    /// Held events, as many as the flow may have. Those that were read under a name that is lost are dropped.
    fn admit(&mut self, most: NonZeroUsize) -> Option<Vec<Event>> {
        let first = self.held.first()?;
        let is_current = Some(first.generation) == self.generation;
        let now = if is_current { most.get().min(self.held.len()) } else { self.held.len() };
        let later = self.held.split_off(now);
        let events = std::mem::replace(&mut self.held, later);
        self.taken += events.len() as u64;
        self.ahead.remove(&events);
        is_current.then_some(events)
    }

    fn error(&self, source: anyhow::Error) -> SourceError {
        SourceError { name: self.name.clone(), source }
    }
}

#[async_trait]
impl Source for RedisSource {
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError> {
        let most = match demand {
            Demand::Events(most) => Some(most),
            Demand::ControlOnly => None,
        };
        loop {
            let allowed = self.taken + most.map_or(0, |most| most.get() as u64);
            self.allowed.send_if_modified(|before| std::mem::replace(before, allowed) != allowed);
            // Control overtakes, held events included.
            if let Ok(control) = self.control.try_recv() {
                return self.signal(Some(control));
            }
            let Some(most) = most else {
                let control = self.control.recv().await;
                return self.signal(control);
            };
            if let Some(events) = self.admit(most) {
                // What was asked for is given: more only after the next question.
                self.allowed.send_if_modified(|before| std::mem::replace(before, self.taken) != self.taken);
                return Ok(Signal::Events(events));
            }
            tokio::select! {
                biased;
                control = self.control.recv() => return self.signal(control),
                Some(events) = self.events.recv(), if self.held.is_empty() => self.held = events,
            }
        }
    }

    fn settle(&mut self, partition: &Partition, events: &[Position], _: Option<Next>) -> Result<(), SourceError> {
        if *partition == self.partition && !events.is_empty() {
            // If the task has ended, the next `recv` says so.
            let _ = self.settled.send(events.to_vec());
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        let Some(task) = self.task.take() else { return Ok(()) };
        self.stop.cancel();
        let abort = task.abort_handle();
        match tokio::time::timeout(self.longest_close, task).await {
            Ok(ended) => {
                let ended = ended.context("the task of the source has failed").flatten();
                ended.map_err(|error| self.error(error))
            }
            Err(_) => {
                abort.abort();
                Err(self.error(anyhow!(
                    "Redis does not answer: what was settled last was not acknowledged, and comes again"
                )))
            }
        }
    }
}

/// Joins, as soon as Redis lets it, and reads.
async fn live(
    client: Client,
    names: Names,
    terms: Terms,
    counts: Arc<Counts>,
    mut ends: Ends,
    pace: Pace,
) -> anyhow::Result<()> {
    let joined = loop {
        ends.news.turned();
        let joining = async {
            let (keeps, reads) = (client.connect(Duration::ZERO)?, client.connect(pace.wait)?);
            let (keeper, hosts) = Keeper::join(keeps, names.clone(), terms.clone(), Arc::clone(&counts)).await?;
            Ok((keeper, reads, hosts))
        };
        let joined: Result<_, NoName> = tokio::select! {
            joined = joining => joined,
            () = ends.stop.cancelled() => return Ok(()),
        };
        match joined {
            Ok(joined) => break Ok(joined),
            Err(NoName::Redis(error)) if meaning(&error) == Meaning::Later => {
                let wait = ends.news.failed(&error);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = ends.stop.cancelled() => return Ok(()),
                }
            }
            // Its source says the same again.
            Err(error) => break Err(anyhow!("{error}")),
        }
    };
    match joined {
        Ok((keeper, reads, hosts)) => {
            ends.news.answered();
            Reader::new(keeper, reads, ends, pace, hosts).run().await
        }
        Err(error) => {
            ends.news.tell(Control::Ended(error.context(format!("cannot join the group {}", names.group))));
            Ok(())
        }
    }
}
