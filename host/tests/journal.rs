//! Stored model answers: a process does not pay again for answers that an earlier process has paid for.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use gristmill_core::model::{
    ChatMessage, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, EventId, FinishReason, JobId, Partition,
    Position, Role, Timestamp, TraceContext, Usage,
};
use gristmill_core::ports::{Caller, Edition, Model, ModelError, Store, StoreError};
use gristmill_llm::Journaled;
use gristmill_store::{Settings, Sqlite};

fn settings(folder: &Path) -> Settings {
    Settings::new(folder, "p", Arc::new(Timestamp::default))
}

fn job(position: u64) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position.into()) })
}

/// Answers with a number of this width, a new one for each call.
struct Counting {
    calls: AtomicU32,
    width: usize,
}

impl Counting {
    fn new(width: usize) -> Arc<Self> {
        Arc::new(Self { calls: AtomicU32::new(0), width })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

/// The model of one journal; several journals share the counter.
struct Shared(Arc<Counting>);

#[async_trait]
impl Model for Shared {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let number = self.0.calls.fetch_add(1, Ordering::SeqCst);
        Ok(ChatResponse {
            text: format!("{number:0width$}", width = self.0.width),
            finish_reason: FinishReason::Other("paused".into()),
            usage: Usage { output_tokens: Some(3), cost_nano_usd: Some(17), ..Usage::default() },
            model: "test/counting".into(),
            provider_request_id: Some(format!("id-{number}")),
            cached: false,
        })
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

fn journal(model: &Arc<Counting>, settings: Settings) -> Journaled<Shared> {
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(settings).unwrap());
    Journaled::new(Shared(Arc::clone(model)), 1 << 20, Some(store))
}

fn caller(job: JobId, repeat: u32) -> Caller {
    let trace = TraceContext::of_job(&job);
    Caller { job, stage: "enrich".into(), item: "item".into(), repeat, edition: Edition::default(), trace }
}

fn request(text: &str) -> ChatRequest {
    ChatRequest::new(vec![ChatMessage::text(Role::User, text)])
}

#[tokio::test]
async fn a_second_process_does_not_pay_again_for_stored_answers() {
    let folder = tempfile::tempdir().unwrap();
    let model = Counting::new(1);
    let mut answers = Vec::new();
    for process in 0..2 {
        let journal = journal(&model, settings(folder.path()));
        for call in 0..8 {
            let answer = journal.chat(&caller(job(call / 4), (call % 2) as u32), &request("hello")).await.unwrap();
            // The last two of every four repeat the first two.
            assert_eq!(answer.cached, process == 1 || call % 4 > 1);
            answers.push(ChatResponse { cached: false, ..answer });
        }
    }
    assert_eq!(model.calls(), 4);
    assert_eq!(answers[..8], answers[8..], "usage, reason and provider request id are stored too");
}

#[tokio::test]
async fn a_full_store_stops_paid_calls() {
    let folder = tempfile::tempdir().unwrap();
    let model = Counting::new(50_000);
    let journal = journal(&model, Settings { max_size: 1 << 20, ..settings(folder.path()) });
    let mut position = 0;
    let failure = loop {
        match journal.chat(&caller(job(position), 0), &request("hello")).await {
            Ok(_) => position += 1,
            Err(failure) => break failure,
        }
    };
    assert!(
        matches!(&failure, ModelError::Store(StoreError::Broken { reason, .. }) if reason.contains("store.max_size")),
        "{failure:?}"
    );
    let paid = model.calls();
    let again = journal.chat(&caller(job(position), 0), &request("hello")).await;
    assert_eq!(again, Err(failure));
    assert_eq!(model.calls(), paid, "a broken store fails the call before the model is asked");
}
