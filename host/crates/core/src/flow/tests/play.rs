//! The test language for the flow: a history of signals goes in, a log of effects comes out, in simulated time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::{MemoryBook, MemoryObjects};
use super::server::Server;
use super::world::{KeptLetters, MemoryStore, NotingModels, NotingSink, NotingTransactor, Obedient};
use crate::flow::settings::{
    DeadLetter, DocumentName, Limits, Order, Recorded, Results, RetryPolicy, Tombstones, Transactions,
};
use crate::flow::{
    Canary, Delivery, Deployment, Fingerprint, FlowError, Handle, Offload, Pipeline, Recording, Step, Waits, run,
};
use crate::model::{
    CanaryTerms, DeadLetterBounds, Event, EventId, Generation, Header, Next, Partition, Plan, Position, Promotion,
    Timestamp,
};
use crate::ports::{
    Accounts, Batching, Demand, FlowEvent, Jobs, Observer, PauseReason, Signal, Source, SourceError, Stage, Store,
};
use crate::settings::TopicName;

pub(super) use super::history::Effects;
pub(super) use super::history::Moment::{
    self, Arrive, ArriveTogether, Assign, Cancel, Lag, Lose, PauseFor, Promote, Replay, Revoke, Stop, Swap, Try, Wait,
    Withdraw,
};

/// The longest that a history may take, in simulated time.
const LONGEST_HISTORY: Duration = Duration::from_secs(24 * 60 * 60);

fn partition(index: u32) -> Partition {
    Partition { topic: "in".into(), index }
}

struct ScriptedSource {
    history: VecDeque<Moment>,
    effects: Effects,
    acks: Vec<(u32, oneshot::Receiver<()>)>,
    /// The newest generation. Each partition has its own in `generations`.
    newest: Generation,
    generations: HashMap<u32, Generation>,
    waiting_until: Option<Instant>,
    handle: Handle,
    /// The deployment that a swap installs.
    next: Arc<Deployment>,
    book: Option<Arc<MemoryBook>>,
}

impl ScriptedSource {
    fn generation(&self, partition: u32) -> Generation {
        self.generations.get(&partition).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Source for ScriptedSource {
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError> {
        loop {
            for (index, ack) in &mut self.acks {
                if ack.try_recv().is_ok() {
                    self.effects.note(format!("released {index}"));
                }
            }
            if let Some(until) = self.waiting_until {
                tokio::time::sleep_until(until).await;
                self.waiting_until = None;
            }
            match self.history.front() {
                Some(Moment::Arrive(..) | Moment::ArriveTogether(..) | Moment::Replay(..))
                    if demand == Demand::ControlOnly =>
                {
                    std::future::pending().await
                }
                None => std::future::pending().await,
                Some(_) => {}
            }
            match self.history.pop_front() {
                Some(Moment::Assign(index)) => {
                    self.newest.0 += 1;
                    let generation = self.newest;
                    self.generations.insert(index, generation);
                    return Ok(Signal::Assigned { partitions: vec![partition(index)], generation, all: 4 });
                }
                Some(Moment::Revoke(index)) => {
                    let (ack, acked) = oneshot::channel();
                    self.acks.push((index, acked));
                    return Ok(Signal::Revoked { partitions: vec![partition(index)], ack });
                }
                Some(Moment::Lose(index)) => {
                    let (ack, _) = oneshot::channel();
                    return Ok(Signal::Revoked { partitions: vec![partition(index)], ack });
                }
                Some(Moment::Arrive(index, position, payload)) => {
                    let event = event(index, position, self.generation(index), payload);
                    return Ok(Signal::Events(vec![event]));
                }
                Some(Moment::ArriveTogether(index, first, payloads)) => {
                    let Demand::Events(most) = demand else { continue };
                    let (now, later) = payloads.split_at(payloads.len().min(most.get()));
                    if !later.is_empty() {
                        let first = first + now.len() as u128;
                        self.history.push_front(Moment::ArriveTogether(index, first, later));
                    }
                    let each = now.iter().zip(first..);
                    let events =
                        each.map(|(payload, position)| event(index, position, self.generation(index), payload));
                    return Ok(Signal::Events(events.collect()));
                }
                Some(Moment::Replay(index, position, payload, headers)) => {
                    let mut event = event(index, position, self.generation(index), payload);
                    event.headers = headers.iter().map(|header| named(header)).collect();
                    return Ok(Signal::Events(vec![event]));
                }
                Some(Moment::Lag(index, records)) => {
                    return Ok(Signal::Lag { partition: partition(index), records });
                }
                Some(Moment::Cancel(job)) => self.book.as_ref().unwrap().cancel(job),
                Some(Moment::Wait(time)) => self.waiting_until = Some(Instant::now() + time),
                Some(Moment::Stop) => {
                    self.handle.drain();
                    std::future::pending().await
                }
                Some(command @ (PauseFor(_) | Swap | Try(..) | Promote | Withdraw)) => {
                    let (handle, next) = (self.handle.clone(), Arc::clone(&self.next));
                    let effects = self.effects.clone();
                    // In a task of its own: the loop that handles commands is waiting for this call.
                    tokio::spawn(async move {
                        match command {
                            PauseFor(time) => {
                                handle.pause().await?;
                                tokio::time::sleep(time).await;
                                handle.resume().await
                            }
                            Try(share, jobs) => {
                                let promote = jobs.map(|jobs| Promotion { jobs, after: Duration::ZERO });
                                let terms = CanaryTerms { min_jobs: 20, promote, ..CanaryTerms::default() };
                                let canary = Canary { deployment: next, share: share.parse().unwrap(), terms };
                                let end = handle.canary(canary).await?.ended().await;
                                effects.note(end.map_or_else(|error| error.to_string(), |end| end.how.to_string()));
                                Ok(())
                            }
                            Promote => handle.promote().await.map(drop),
                            Withdraw => handle.withdraw().await.map(drop),
                            _ => handle.swap(next).await,
                        }
                    });
                    self.waiting_until = Some(Instant::now() + Duration::from_millis(1));
                }
                None => {}
            }
        }
    }

    fn settle(&mut self, partition: &Partition, events: &[Position], below: Option<Next>) -> Result<(), SourceError> {
        let below = below.map_or_else(|| "-".into(), |next| next.0.to_string());
        let events: Vec<String> = events.iter().map(Position::to_string).collect();
        self.effects.note(format!("settled {}:{} below {below}", partition.index, events.join(",")));
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        for (index, ack) in &mut self.acks {
            if ack.try_recv().is_ok() {
                self.effects.note(format!("released {index}"));
            }
        }
        self.effects.note("closed");
        Ok(())
    }
}

fn named(header: &str) -> Header {
    let (name, value) = header.split_once('=').unwrap();
    Header { name: name.to_owned().into(), value: Some(Bytes::copy_from_slice(value.as_bytes())) }
}

fn event(index: u32, position: u128, generation: Generation, payload: &'static str) -> Event {
    Event {
        id: EventId { partition: partition(index), position: Position(position) },
        generation,
        key: payload.split_once('@').map(|(_, key)| Bytes::from_static(key.as_bytes())),
        payload: (payload != "<null>").then(|| {
            let before_key = payload.split_once('@').map_or(payload, |(text, _)| text);
            Bytes::from_static(before_key.as_bytes())
        }),
        headers: Vec::new(),
        timestamp: Timestamp(0),
        deliveries: None,
        fault: None,
    }
}

/// Logs what the other effects do not show.
struct Watching(Effects, bool);

impl Observer for Watching {
    fn observe(&self, event: &FlowEvent<'_>) {
        match event {
            FlowEvent::Stale { event } => self.0.note(format!("stale {event}")),
            FlowEvent::Restored { stage, .. } => self.0.note(format!("restored {stage}")),
            FlowEvent::Paused { why: PauseReason::Operator, .. } => self.0.note("paused"),
            FlowEvent::Resumed { why: PauseReason::Operator } => self.0.note("resumed"),
            FlowEvent::Resumed { why } if self.1 => self.0.note(format!("over: {why}")),
            // The time is jittered.
            FlowEvent::Paused { why, wait: Some(_) } if self.1 => self.0.note(format!("paused for a time: {why}")),
            FlowEvent::JobEnded { end, spent: Some(spent), .. } => self.0.note(format!("{end} for {}", spent.cost)),
            FlowEvent::Queues(queues) if self.1 => self.0.note(format!("{} jobs in flight", queues.jobs)),
            FlowEvent::Lag { partition, records } if self.1 => {
                self.0.note(format!("{records} behind in {}", partition.index));
            }
            _ => {}
        }
    }
}

/// What a test sets up before it plays a history.
pub(super) struct Play {
    pub(super) stages: usize,
    pub(super) jobs: u32,
    pub(super) broken_topics: Vec<&'static str>,
    pub(super) sink_latency: Duration,
    pub(super) log_calls: bool,
    /// Logs timed pauses, queues and lag too.
    pub(super) watched: bool,
    /// Modifies the default plan, in which the stages follow one another.
    pub(super) plan: fn(&mut Plan),
    pub(super) order: Order,
    pub(super) retry: RetryPolicy,
    pub(super) dead_letters: DeadLetterBounds,
    /// Jobs per transaction (one also begins after 1 s), and how many transactions are aborted first.
    pub(super) transactions: Option<(u32, u32)>,
    /// If set, keeps the outcomes of all stages.
    pub(super) store: Option<Arc<MemoryStore>>,
    /// What jobs have spent; logged at their end.
    pub(super) accounts: Option<Arc<dyn Accounts>>,
    /// When the server that stages ask is away.
    pub(super) away: std::ops::Range<Duration>,
    /// Which items a stage takes in one call.
    pub(super) batch: Batching,
    /// Whether stages may wait for something outside.
    pub(super) waits: Waits,
    /// What is in partition 0 of the topic "dead": position, payload and headers, as in [`Replay`].
    pub(super) letters: Vec<Letter>,
    /// How often the dead letters cannot be read first.
    pub(super) letters_away: u32,
    /// Logs which portion of the work the models are told.
    pub(super) log_portions: bool,
    /// The records of jobs; their ends are logged.
    pub(super) book: Option<Arc<MemoryBook>>,
    /// Which jobs have one.
    pub(super) recorded: Recorded,
    /// Where payloads of more than 8 bytes are.
    pub(super) objects: Option<Arc<MemoryObjects>>,
}

/// A dead letter: position, payload, headers.
pub(super) type Letter = (u128, &'static str, &'static [&'static str]);

impl Default for Play {
    fn default() -> Self {
        Self {
            stages: 1,
            jobs: 64,
            broken_topics: Vec::new(),
            sink_latency: Duration::ZERO,
            log_calls: false,
            watched: false,
            plan: |_| {},
            order: Order::None,
            retry: RetryPolicy::default(),
            dead_letters: DeadLetterBounds::default(),
            transactions: None,
            store: None,
            accounts: None,
            away: Duration::ZERO..Duration::ZERO,
            batch: Batching::NONE,
            waits: Waits::Never,
            letters: Vec::new(),
            letters_away: 0,
            log_portions: false,
            book: None,
            recorded: Recorded::All,
            objects: None,
        }
    }
}

impl Play {
    /// Plays the history until the flow ends. Returns the effects and how the flow ended.
    pub(super) async fn play(self, history: &[Moment]) -> (Vec<String>, Result<(), FlowError>) {
        let effects = Effects { begun: Instant::now(), lines: Arc::default() };
        let (handle, commands) = Handle::new(CancellationToken::new());
        let server = Arc::new(Server::new(effects.begun, self.away.clone()));
        let stage = |version| -> Arc<dyn Stage> {
            let (effects, server) = (effects.clone(), Arc::clone(&server));
            Arc::new(Obedient { effects, log_calls: self.log_calls, version, server, batch: self.batch })
        };
        let names: Vec<Arc<str>> = (0..self.stages).map(|index| format!("s{index}").into()).collect();
        let step = |name: &Arc<str>, version| Step {
            name: Arc::clone(name),
            stage: stage(version),
            digest: "d1".into(),
            retry: self.retry,
            waits: self.waits,
            checkpoint: self.store.as_ref().map(|_| Fingerprint([0; 32])),
        };
        let mut plan = Plan::straight(&names.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
        (self.plan)(&mut plan);
        let plan = Arc::new(plan);
        let deployment = |version| {
            let steps = names.iter().map(|name| step(name, version)).collect();
            let models = self.log_portions.then(|| NotingModels::of(&effects, version));
            Arc::new(Deployment::new(version, Arc::clone(&plan), steps, models))
        };
        let (deployment, next) = (deployment(1), deployment(2));
        if let Some(book) = &self.book {
            book.log_to(&effects);
        }
        let (broken, latency) = (self.broken_topics, self.sink_latency);
        let delivery = match self.transactions {
            None => Delivery::AtLeastOnce(Arc::new(NotingSink { effects: effects.clone(), broken, latency })),
            Some((most, aborts)) => Delivery::ExactlyOnce {
                transactor: Arc::new(NotingTransactor { effects: effects.clone(), aborts: aborts.into(), latency }),
                bounds: Transactions { max_jobs: most.try_into().unwrap(), max_wait: Duration::from_secs(1) },
            },
        };
        let letter = |(position, payload, headers): &Letter| {
            let mut letter = event(0, *position, Generation::default(), payload);
            letter.id.partition.topic = "dead".into();
            letter.headers = headers.iter().map(|header| named(header)).collect();
            letter
        };
        let letters = KeptLetters {
            effects: effects.clone(),
            letters: self.letters.iter().map(letter).collect(),
            away: self.letters_away.into(),
        };
        let pipeline = Pipeline {
            name: "p".into(),
            content_type: None,
            document: DocumentName::default(),
            tombstones: Tombstones::default(),
            documents: None,
            delivery,
            output_topic: "out".into(),
            dead_letter: DeadLetter { topic: TopicName::new("dead").unwrap(), connect_headers: false },
            letters: Arc::new(letters),
            order: self.order,
            store: self.store.map(|store| store as Arc<dyn Store>),
            recording: self.book.clone().map(|book| Recording {
                jobs: Arc::clone(&book) as Arc<dyn Jobs>,
                acts: book,
                which: self.recorded,
                results: Results::Keep,
            }),
            offload: self.objects.map(|objects| Offload { objects, inline_max: 8 }),
            accounts: self.accounts,
            sampling: Default::default(),
            clock: || Timestamp(0),
            observer: Arc::new(Watching(effects.clone(), self.watched)),
            limits: Limits {
                max_in_flight: self.jobs.try_into().unwrap(),
                max_dead_letter_rate: self.dead_letters.rate,
                max_dead_letters_in_a_row: self.dead_letters.in_a_row,
                max_reject_rate: self.dead_letters.rejected,
                ..Limits::default()
            },
        };
        let mut source = ScriptedSource {
            history: history.iter().cloned().collect(),
            effects: effects.clone(),
            acks: Vec::new(),
            newest: Generation::default(),
            generations: HashMap::new(),
            waiting_until: None,
            handle,
            next,
            book: self.book,
        };
        let flow = run(&mut source, Arc::new(pipeline), deployment, commands);
        let ended = tokio::time::timeout(LONGEST_HISTORY, flow).await.expect("the flow did not end after its history");
        let lines = effects.lines.lock().unwrap().clone();
        (lines, ended)
    }

    /// The effects of a history in which the flow stops because it was told to.
    pub(super) async fn effects(self, history: &[Moment]) -> Vec<String> {
        let (effects, ended) = self.play(history).await;
        ended.unwrap();
        effects
    }
}
