//! The models over real HTTP: what a stage gets from servers that answer, limit, fail and lie.

// Clippy recognizes tests by their attribute, but not the helpers they call.
#![allow(clippy::unwrap_used)]

mod answers;
mod canary;
mod dialects;
mod embeddings;
mod failures;
mod faults;
mod keys;
mod layers;
mod shared;
mod streams;
mod thinking;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, ChatResponse, EventId, JobId, Partition, Position, Role, Timestamp,
    TraceContext,
};
use gristmill_core::ports::{Caller, ModelError, Observers};
use gristmill_llm::settings::{AliasSettings, Budgets, OpenAiSettings, SecretRef, Settings, TargetSettings};
use gristmill_llm::{Gateway, Limits, Purse, Surroundings};

use gristmill_model_server::ModelServer;

/// A target on this server, with a short timeout.
fn target(server: &ModelServer) -> OpenAiSettings {
    OpenAiSettings { base_url: server.base_url(), timeout: Duration::from_secs(10), ..OpenAiSettings::new("m") }
}

/// A key in its own file, which lives as long as the folder.
fn key_file(key: &str) -> (tempfile::TempDir, SecretRef) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, key).unwrap();
    (folder, SecretRef::File(path))
}

/// Models without a store.
#[derive(Clone)]
struct Chat(Gateway);

impl Chat {
    fn forget(&self, job: &JobId) {
        self.0.models.forget(job);
    }

    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
        self.0.model.chat(caller, request).await.map_err(|error| match error {
            ModelError::Chat { failure, .. } => failure,
            ModelError::Store(error) => panic!("there is no store: {error}"),
        })
    }
}

fn model(targets: Vec<OpenAiSettings>) -> Chat {
    let targets = targets.into_iter().map(TargetSettings::OpenAi).collect();
    alias(AliasSettings::new(targets))
}

fn alias(settings: AliasSettings) -> Chat {
    alias_with(settings, &Arc::default())
}

/// The alias of one pipeline on a host with these limits.
fn alias_with(settings: AliasSettings, limits: &Arc<Limits>) -> Chat {
    let models = [("smart".to_owned(), settings)].into();
    let surroundings = Surroundings {
        store: None,
        answers: None,
        counters: None,
        limits: Arc::clone(limits),
        purse: purse(),
        observer: Arc::new(Observers::default()),
    };
    Chat(gristmill_llm::build(Settings { models, ..Settings::default() }, surroundings).unwrap())
}

/// A purse without budgets.
fn purse() -> Arc<Purse> {
    Arc::new(Purse::new(Budgets::default(), Arc::new(|| Timestamp(0))))
}

fn scripted(path: &Path) -> TargetSettings {
    TargetSettings::Scripted(gristmill_llm::settings::ScriptedSettings { script: path.into(), price: None })
}

fn job(position: u128) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position) })
}

fn caller(position: u128) -> Caller {
    Caller {
        job: job(position),
        stage: "enrich".into(),
        item: "item".into(),
        repeat: 0,
        edition: gristmill_core::ports::Edition::default(),
        trace: TraceContext::of_job(&job(position)),
    }
}

fn request(text: &str) -> ChatRequest {
    ChatRequest::new(vec![ChatMessage::text(Role::User, text)])
}
