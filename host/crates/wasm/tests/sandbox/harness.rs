//! Helpers for the sandbox tests.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{
    ChatFailure, ChatRequest, ChatResponse, Content, DocumentGeneration, DocumentId, EmbedRequest, EmbedResponse,
    EventId, FinishReason, Item, ItemId, JobId, Outcome, Partition, Position, Stamp, Timestamp, TraceContext, Usage,
    Vector,
};
use gristmill_core::ports::{
    Batching, Call, Caller, Edition, Model, ModelError, Stage, StageError, StoreError, Tokens,
};
use gristmill_wasm::{
    Compiler, Described, Description, Grants, Isolation, LoadError, Module, Runtime, RuntimeSettings, StageLimits,
    StageSpec, Start, WasmStage,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::outside::Outside;

/// A guest that `cargo stages` built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo stages` first", path.display()))
}

/// A standard stage that `cargo stages` built.
pub(crate) fn standard(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("stages").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo stages` first", path.display()))
}

/// An encoding called "words", in which each word is a token.
#[derive(Debug)]
struct Words;

impl Tokens for Words {
    fn encodings(&self) -> &'static [&'static str] {
        &["words"]
    }

    fn count(&self, encoding: &str, text: &str) -> Option<usize> {
        (encoding == "words").then(|| text.split_whitespace().count())
    }
}

/// A model that answers "answer to …" after a time that depends on the question.
pub(crate) fn scripted(wait: fn(&str) -> Duration) -> Arc<dyn Model> {
    Arc::new(Scripted(wait))
}

/// A model that always answers with this text.
pub(crate) fn always(text: &'static str) -> Arc<dyn Model> {
    Arc::new(Always(text))
}

/// A model whose state store is broken.
pub(crate) fn without_store() -> Arc<dyn Model> {
    Arc::new(WithoutStore)
}

struct WithoutStore;

#[async_trait]
impl Model for WithoutStore {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        Err(StoreError::Broken { store: "test".into(), reason: "its disk is gone".into() }.into())
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        Err(ChatFailure::Denied("this model makes no vectors".into()).into())
    }
}

/// A model that answers with the asking item and the number of equal requests before this one.
pub(crate) fn who_asks() -> Arc<dyn Model> {
    Arc::new(WhoAsks)
}

struct WhoAsks;

#[async_trait]
impl Model for WhoAsks {
    async fn chat(&self, caller: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        Ok(said(format!("{} {}", caller.item, caller.repeat)))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        Err(ChatFailure::Denied("this model makes no vectors".into()).into())
    }
}

/// A model that makes a vector of the length of each text, the number of texts beside it, and the length that is asked for.
pub(crate) fn vectors() -> Arc<dyn Model> {
    Arc::new(Vectors)
}

struct Vectors;

#[async_trait]
impl Model for Vectors {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        Ok(said("{}".into()))
    }

    async fn embed(&self, _: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        Ok(embedded(request))
    }
}

/// Vectors for these texts.
pub(crate) fn embedded(request: &EmbedRequest) -> EmbedResponse {
    #[allow(clippy::cast_precision_loss, reason = "the numbers of tests are small")]
    let vector = |text: &Arc<str>| {
        let numbers = [text.len(), request.inputs.len(), request.dimensions.unwrap_or(0) as usize];
        Vector::new(&numbers.map(|number| number as f32)).unwrap()
    };
    let vectors = request.inputs.iter().map(vector).collect();
    EmbedResponse { vectors, usage: Usage::default(), model: "test/vectors".into(), cached: false }
}

/// A model that answers with the bounds within which a request may share a call.
pub(crate) fn how_merged() -> Arc<dyn Model> {
    Arc::new(HowMerged)
}

struct HowMerged;

#[async_trait]
impl Model for HowMerged {
    async fn chat(&self, _: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        Ok(said(match request.merge {
            Some(merge) => format!("{}/{}/{:?}/{:?}", merge.items, merge.tokens, merge.wait, merge.among),
            None => "alone".to_owned(),
        }))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        Err(ChatFailure::Denied("this model makes no vectors".into()).into())
    }
}

struct Always(&'static str);

#[async_trait]
impl Model for Always {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        Ok(said(self.0.to_owned()))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        Err(ChatFailure::Denied("this model makes no vectors".into()).into())
    }
}

struct Scripted(fn(&str) -> Duration);

#[async_trait]
impl Model for Scripted {
    async fn chat(&self, _: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let Some(Content::Text(question)) = request.messages.last().and_then(|message| message.content.last()) else {
            panic!("a question is text");
        };
        tokio::time::sleep((self.0)(question)).await;
        Ok(said(format!("answer to {question}")))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        Err(ChatFailure::Denied("this model makes no vectors".into()).into())
    }
}

/// An answer with this text.
pub(crate) fn said(text: String) -> ChatResponse {
    ChatResponse {
        text,
        finish_reason: FinishReason::Stop,
        usage: Usage::default(),
        model: "test/scripted".into(),
        provider_request_id: None,
        cached: false,
    }
}

/// A host under test, with its own cache folder.
pub(crate) struct Sandbox {
    cache: Arc<TempDir>,
    instances: usize,
    limits: StageLimits,
    isolation: Isolation,
    grants: Grants,
    routed: BTreeSet<String>,
    model: Arc<dyn Model>,
    outside: Outside,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            cache: Arc::new(tempfile::tempdir().unwrap()),
            instances: 16,
            limits: StageLimits::default(),
            isolation: Isolation::Item,
            grants: Grants { llm: true, embeddings: true, ..Grants::default() },
            outside: Outside::default(),
            routed: BTreeSet::new(),
            model: scripted(|_| Duration::ZERO),
        }
    }

    /// The same host, restarted.
    pub(crate) fn again(&self) -> Self {
        let (cache, model) = (Arc::clone(&self.cache), Arc::clone(&self.model));
        Self { cache, model, routed: self.routed.clone(), outside: self.outside.clone(), ..*self }
    }

    pub(crate) fn instances(self, instances: usize) -> Self {
        Self { instances, ..self }
    }

    pub(crate) fn limits(self, limits: StageLimits) -> Self {
        Self { limits, ..self }
    }

    pub(crate) fn isolation(self, isolation: Isolation) -> Self {
        Self { isolation, ..self }
    }

    pub(crate) fn shared(self) -> Self {
        self.isolation(Isolation::Shared)
    }

    pub(crate) fn grants(self, grants: Grants) -> Self {
        Self { grants, ..self }
    }

    /// Gives branches of the stage a route.
    pub(crate) fn routed(self, labels: &[&str]) -> Self {
        Self { routed: labels.iter().map(|label| (*label).to_owned()).collect(), ..self }
    }

    pub(crate) fn model(self, model: Arc<dyn Model>) -> Self {
        Self { model, ..self }
    }

    /// Grants what is there of this.
    pub(crate) fn outside(self, outside: Outside) -> Self {
        Self { grants: outside.granted_with(self.grants), outside, ..self }
    }

    pub(crate) fn cached_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.cache.path().join("stages")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        let settings = RuntimeSettings {
            cache: self.cache.path().join("stages"),
            instances: self.instances.try_into().unwrap(),
            largest_memory: self.limits.memory.as_usize(),
            tokens: Arc::new(Words),
            shutdown: CancellationToken::new(),
            compiler: Compiler::Here,
        };
        Arc::new(Runtime::new(settings).unwrap())
    }

    pub(crate) async fn load(&self, wasm: Vec<u8>, config: serde_json::Value) -> Result<Loaded, LoadError> {
        self.load_into(&self.runtime(), wasm, config).await
    }

    /// Loads a stage into a runtime that may have others.
    pub(crate) async fn load_into(
        &self,
        runtime: &Arc<Runtime>,
        wasm: Vec<u8>,
        config: serde_json::Value,
    ) -> Result<Loaded, LoadError> {
        let stage = runtime.load(self.spec(wasm, config)).await?;
        Ok(Loaded { stage, _runtime: Arc::clone(runtime) })
    }

    /// Looks at a stage without loading it.
    pub(crate) async fn look(&self, wasm: Vec<u8>, config: serde_json::Value) -> Result<Described, LoadError> {
        self.runtime().look(self.spec(wasm, config)).await
    }

    fn spec(&self, wasm: Vec<u8>, config: serde_json::Value) -> StageSpec {
        self.outside.give(StageSpec {
            pipeline: "test".into(),
            name: "under-test".into(),
            module: "test.wasm".into(),
            wasm: Module::new(wasm),
            config,
            routed: self.routed.clone(),
            grants: self.grants,
            limits: self.limits,
            isolation: self.isolation,
            model: Some(Arc::clone(&self.model)),
            http: None,
            state: None,
            metrics: None,
        })
    }

    pub(crate) async fn misbehave(&self) -> Loaded {
        self.load(guest("misbehave"), serde_json::json!({})).await.unwrap()
    }
}

/// A stage with the runtime it lives in.
pub(crate) struct Loaded {
    stage: WasmStage,
    _runtime: Arc<Runtime>,
}

impl Loaded {
    pub(crate) fn description(&self) -> &Description {
        self.stage.description()
    }

    pub(crate) fn described(&self) -> Described {
        self.stage.described()
    }

    pub(crate) fn start(&self) -> &Start {
        self.stage.start()
    }

    pub(crate) async fn run(&self, text: &str) -> Result<Outcome, StageError> {
        self.run_typed(text, None).await
    }

    pub(crate) async fn run_typed(&self, text: &str, content_type: Option<&str>) -> Result<Outcome, StageError> {
        self.run_bytes(text.as_bytes().to_vec(), content_type).await
    }

    pub(crate) async fn run_bytes(&self, bytes: Vec<u8>, content_type: Option<&str>) -> Result<Outcome, StageError> {
        self.stage.run(&call(7, bytes, content_type, 1)).await
    }

    pub(crate) async fn run_item(&self, item: Item) -> Result<Outcome, StageError> {
        self.stage.run(&Call { item, ..call(7, Vec::new(), None, 1) }).await
    }

    /// Which items the stage takes in one call.
    pub(crate) fn batching(&self) -> Batching {
        self.stage.batching()
    }

    /// Runs several items of one job in one call, each with an id of its own.
    pub(crate) async fn run_together(&self, texts: &[&str]) -> Option<Vec<Result<Outcome, StageError>>> {
        let one = |(ordinal, text): (usize, &&str)| {
            let mut call = call(7, text.as_bytes().to_vec(), Some("text/plain"), 1);
            call.item.id = call.item.id.child("split", ordinal);
            call
        };
        let calls: Vec<Call> = texts.iter().enumerate().map(one).collect();
        self.stage.run_batch(&calls).await
    }

    /// Runs the item at this position, as this attempt.
    pub(crate) async fn run_at(&self, position: u128, text: &str, attempt: u32) -> Result<Outcome, StageError> {
        self.stage.run(&call(position, text.as_bytes().to_vec(), None, attempt)).await
    }
}

fn call(position: u128, bytes: Vec<u8>, content_type: Option<&str>, attempt: u32) -> Call {
    let event = EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(position) };
    let job = JobId::new("test", &event);
    let document = DocumentId::unnamed(&event);
    let record = Stamp { place: event.clone(), time: Timestamp(0) };
    let item = Item {
        id: ItemId::root(&document),
        key: None,
        payload: bytes.into(),
        content_type: content_type.map(Into::into),
        headers: Vec::new(),
        attributes: Vec::new(),
    };
    let trace = TraceContext::of_job(&job);
    Call {
        job,
        event,
        document,
        generation: DocumentGeneration::of(&record),
        timestamp: Timestamp(0),
        item,
        attempt,
        edition: Edition::default(),
        trace,
        span: trace,
    }
}
