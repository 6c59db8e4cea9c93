//! Requests and callers for this crate's unit tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::meter::{Meter, Taken, Want};
use gristmill_core::model::{
    ChatMessage, ChatRequest, ChatResponse, EventId, FinishReason, Format, JobId, Partition, Position, Role,
    TraceContext, Usage,
};
use gristmill_core::ports::{Caller, Counter, Counters, StoreError};
use tokio::time::Instant;

pub(super) fn message(role: Role, text: &str) -> ChatMessage {
    ChatMessage::text(role, text)
}

pub(super) fn request(text: &str) -> ChatRequest {
    ChatRequest { timeout: Some(Duration::from_secs(10)), ..ChatRequest::new(vec![message(Role::User, text)]) }
}

pub(super) fn schema(schema: &str) -> Format {
    Format::Schema { name: "answer".into(), description: None, schema: schema.into() }
}

pub(super) fn response(text: &str) -> ChatResponse {
    ChatResponse {
        text: text.into(),
        finish_reason: FinishReason::Stop,
        usage: Usage::default(),
        model: "test/model".into(),
        provider_request_id: None,
        cached: false,
    }
}

pub(super) fn job(position: u128) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position) })
}

pub(super) fn caller(position: u128, stage: &str, item: &str, repeat: u32) -> Caller {
    let edition = gristmill_core::ports::Edition::default();
    let trace = TraceContext::of_job(&job(position));
    Caller { job: job(position), stage: stage.into(), item: item.into(), repeat, edition, trace }
}

/// Counters of several hosts, in memory. They can be away, and take a moment to answer.
#[derive(Default)]
pub(super) struct MemoryCounters {
    meters: Mutex<HashMap<Arc<str>, Meter>>,
    begun: OnceLock<Instant>,
    pub(super) away: AtomicBool,
    pub(super) calls: AtomicU32,
}

impl MemoryCounters {
    async fn with<T>(&self, counter: &Counter, act: impl FnOnce(&mut Meter, Duration) -> T) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Transient { store: "test".into(), reason: "away".into() });
        }
        let now = self.begun.get_or_init(Instant::now).elapsed();
        let mut meters = self.meters.lock().unwrap();
        Ok(act(meters.entry(Arc::clone(&counter.name)).or_default(), now))
    }

    /// How much is used of each.
    pub(super) fn used(&self) -> BTreeMap<String, u64> {
        self.meters.lock().unwrap().iter().map(|(name, meter)| (name.to_string(), meter.used())).collect()
    }
}

#[async_trait]
impl Counters for MemoryCounters {
    async fn take(&self, counter: &Counter, want: Want) -> Result<Taken, StoreError> {
        self.with(counter, |meter, now| meter.take(counter.bound, want, now)).await
    }

    async fn settle(&self, counter: &Counter, change: i64) -> Result<(), StoreError> {
        self.with(counter, |meter, now| meter.settle(counter.bound, change, now)).await
    }

    async fn raise(&self, counter: &Counter, used: u64) -> Result<(), StoreError> {
        self.with(counter, |meter, now| meter.raise(counter.bound, used, now)).await
    }
}
