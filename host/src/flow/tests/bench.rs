//! The test language of the flow: a history of signals goes in, a log of effects comes out, in simulated time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::flow::{Delivery, FlowError, Letters, Limits, Order, Pipeline, Step, run};
use crate::model::{
    Event, EventId, Failure, Generation, LetterBounds, Next, Outcome, Output, Partition, Plan, Position, RetryPolicy,
    Timestamp,
};
use crate::ports::{
    Call, Demand, Observer, Record, Sight, Signal, Sink, SinkError, Source, SourceError, Stage, StageError,
};

/// One line of a history.
#[derive(Debug, Clone)]
pub(super) enum Moment {
    Assign(u32),
    Revoke(u32),
    /// Partition, position, payload.
    Arrive(u32, u128, &'static str),
    /// Nothing for that long.
    Wait(Duration),
    /// The operator asks for a stop.
    Stop,
}
pub(super) use Moment::{Arrive, Assign, Revoke, Stop, Wait};

/// What happened, each with the simulated second.
#[derive(Clone)]
pub(super) struct Effects {
    begun: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Effects {
    fn note(&self, what: impl std::fmt::Display) {
        self.lines.lock().unwrap().push(format!("{}s {what}", self.begun.elapsed().as_secs()));
    }
}

fn partition(index: u32) -> Partition {
    Partition { topic: "in".into(), index }
}

struct ScriptedSource {
    history: VecDeque<Moment>,
    effects: Effects,
    acks: Vec<(u32, oneshot::Receiver<()>)>,
    generation: Generation,
    waiting_until: Option<Instant>,
    shutdown: CancellationToken,
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
                Some(Moment::Arrive(..)) if demand == Demand::ControlOnly => std::future::pending().await,
                None => std::future::pending().await,
                Some(_) => {}
            }
            match self.history.pop_front() {
                Some(Moment::Assign(index)) => {
                    self.generation.0 += 1;
                    return Ok(Signal::Assigned { partitions: vec![partition(index)], generation: self.generation });
                }
                Some(Moment::Revoke(index)) => {
                    let (ack, acked) = oneshot::channel();
                    self.acks.push((index, acked));
                    return Ok(Signal::Revoked { partitions: vec![partition(index)], ack });
                }
                Some(Moment::Arrive(index, position, payload)) => {
                    return Ok(Signal::Event(event(index, position, self.generation, payload)));
                }
                Some(Moment::Wait(time)) => self.waiting_until = Some(Instant::now() + time),
                Some(Moment::Stop) => {
                    self.shutdown.cancel();
                    std::future::pending().await
                }
                None => {}
            }
        }
    }

    fn settle(&mut self, event: &EventId, below: Option<Next>) -> Result<(), SourceError> {
        let below = below.map_or_else(|| "-".into(), |next| next.0.to_string());
        self.effects.note(format!("settled {}:{} below {below}", event.partition.index, event.position));
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

fn event(index: u32, position: u128, generation: Generation, payload: &'static str) -> Event {
    Event {
        id: EventId { partition: partition(index), position: Position(position) },
        generation,
        key: None,
        payload: (payload != "<null>").then(|| Bytes::from_static(payload.as_bytes())),
        headers: Vec::new(),
        timestamp: Timestamp(0),
        fault: None,
    }
}

/// A sink that notes what it gets, and refuses what the test says.
struct NotingSink {
    effects: Effects,
    broken: Vec<&'static str>,
    latency: Duration,
}

#[async_trait]
impl Sink for NotingSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        tokio::time::sleep(self.latency).await;
        for record in records {
            let payload = String::from_utf8_lossy(record.payload.as_deref().unwrap_or(b"<null>")).into_owned();
            if payload == "huge" && &*record.topic == "out" {
                return Err(SinkError::Refused { topic: record.topic, reason: "too large".into() });
            }
            if self.broken.contains(&&*record.topic) {
                let source = anyhow::anyhow!("no broker");
                return Err(SinkError::Unavailable { topic: record.topic, source });
            }
            let reason = record.headers.iter().find(|header| header.name == "failure_reason");
            let reason = reason.and_then(|header| header.value.clone()).unwrap_or_default();
            let reason = String::from_utf8_lossy(&reason).into_owned();
            let separator = if reason.is_empty() { "" } else { " " };
            self.effects.note(format!("{} {payload}{separator}{reason}", record.topic));
        }
        Ok(())
    }
}

/// A stage that obeys its input: "slow 5" takes 5 s, "split a b" emits two items, "trap", "reject", "limited 7" and so
/// on; anything else passes.
pub(super) struct Obedient {
    effects: Effects,
    log_calls: bool,
}

#[async_trait]
impl Stage for Obedient {
    async fn run(&self, call: Call) -> Result<Outcome, StageError> {
        let text = String::from_utf8_lossy(&call.item.payload).into_owned();
        if self.log_calls {
            self.effects.note(format!("call {text} #{}", call.attempt));
        }
        let mut words = text.split(' ');
        let failure = |code: &str| Failure::new(code, "as told");
        let seconds = |words: &mut std::str::Split<'_, char>| {
            Duration::from_secs(words.next().and_then(|word| word.parse().ok()).unwrap_or(0))
        };
        match words.next().unwrap_or_default() {
            "slow" => tokio::time::sleep(seconds(&mut words)).await,
            "split" => return Ok(Outcome::Emit(words.map(output).collect())),
            "drop" => return Ok(Outcome::Drop("told-to".into())),
            "reject" => return Err(StageError::Permanent(failure("rejected"))),
            "trap" => return Err(StageError::Trap(failure("trap"))),
            "flaky" if call.attempt == 1 => {
                return Err(StageError::Retry { failure: failure("flaky"), after: None });
            }
            "never" => {
                return Err(StageError::Retry { failure: failure("never"), after: None });
            }
            "limited" if self.effects.begun.elapsed() < Duration::from_secs(10) => {
                let after = Some(seconds(&mut words));
                return Err(StageError::Slow { failure: failure("limited"), after });
            }
            "host" => return Err(StageError::Host(anyhow::anyhow!("no memory"))),
            "panic" => panic!("as told"),
            _ => {}
        }
        Ok(Outcome::Emit(vec![output(&text)]))
    }
}

fn output(text: &str) -> Output {
    Output {
        payload: Bytes::copy_from_slice(text.as_bytes()),
        content_type: None,
        key: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        branch: None,
    }
}

struct Blind;

impl Observer for Blind {
    fn observe(&self, _: &Sight<'_>) {}
}

/// What a test sets up before it plays a history.
pub(super) struct Bench {
    pub(super) stages: usize,
    pub(super) jobs: usize,
    pub(super) broken_topics: Vec<&'static str>,
    pub(super) sink_latency: Duration,
    pub(super) log_calls: bool,
}

impl Default for Bench {
    fn default() -> Self {
        Self { stages: 1, jobs: 64, broken_topics: Vec::new(), sink_latency: Duration::ZERO, log_calls: false }
    }
}

impl Bench {
    /// Plays the history, stops when it is over and all is quiet, and gives the effects and how the flow ended.
    pub(super) async fn play(self, history: &[Moment]) -> (Vec<String>, Result<(), FlowError>) {
        let effects = Effects { begun: Instant::now(), lines: Arc::default() };
        let shutdown = CancellationToken::new();
        let stage: Arc<dyn Stage> = Arc::new(Obedient { effects: effects.clone(), log_calls: self.log_calls });
        let names: Vec<Arc<str>> = (0..self.stages).map(|index| format!("s{index}").into()).collect();
        let step = |name: &Arc<str>| Step {
            name: Arc::clone(name),
            stage: Arc::clone(&stage),
            digest: "d1".into(),
            retry: RetryPolicy::default(),
            checkpoint: None,
        };
        let pipeline = Pipeline {
            name: "p".into(),
            steps: names.iter().map(step).collect(),
            plan: Arc::new(Plan::straight(&names.iter().map(AsRef::as_ref).collect::<Vec<&str>>())),
            content_type: None,
            delivery: Delivery::AtLeastOnce(Arc::new(NotingSink {
                effects: effects.clone(),
                broken: self.broken_topics,
                latency: self.sink_latency,
            })),
            output_topic: "out".into(),
            letters: Letters { topic: "dead".into(), bounds: LetterBounds::default(), connect_headers: false },
            order: Order::None,
            model: None,
            store: None,
            clock: || Timestamp(0),
            observer: Arc::new(Blind),
            limits: Limits {
                jobs: self.jobs.try_into().unwrap(),
                bytes: (64 << 20).try_into().unwrap(),
                items_per_job: 8.try_into().unwrap(),
                job_bytes: (64 << 20).try_into().unwrap(),
                drain_timeout: Duration::from_secs(30),
            },
        };
        let mut source = ScriptedSource {
            history: history.iter().cloned().collect(),
            effects: effects.clone(),
            acks: Vec::new(),
            generation: Generation::default(),
            waiting_until: None,
            shutdown: shutdown.clone(),
        };
        let ended = run(&mut source, Arc::new(pipeline), shutdown).await;
        let lines = effects.lines.lock().unwrap().clone();
        (lines, ended)
    }

    /// The effects of a history in which the flow stops because it was asked to.
    pub(super) async fn effects(self, history: &[Moment]) -> Vec<String> {
        let (effects, ended) = self.play(history).await;
        ended.unwrap();
        effects
    }
}
