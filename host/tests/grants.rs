//! What a stage reaches, from the guest to a server that listens: the sandbox, the calls, the store and the metrics together.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use gristmill_core::model::{
    DocumentGeneration, DocumentId, EventId, Item, ItemId, JobId, Outcome, Partition, Position, Quota, Stamp,
    Timestamp, TraceContext,
};
use gristmill_core::ports::{Call, Edition, Stage, StageError, Store};
use gristmill_outbound::{Calls, Parts, SystemLookup};
use gristmill_store::{Settings, Sqlite};
use gristmill_telemetry::metrics::{Metrics, Readiness, SandboxNow, Scrape, SpansNow};
use gristmill_wasm::{
    Compiler, Grants, Isolation, Module, Runtime, RuntimeSettings, StageLimits, StageSpec, State, WasmStage,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const CANARY: &str = "canary-1a2b3c4d";

/// A host with a store, and a service beside it.
struct World {
    folder: TempDir,
    port: u16,
    orders: Arc<AtomicU32>,
    keys: Arc<Mutex<Vec<String>>>,
    metrics: Metrics,
}

/// One process that runs the stage.
struct Process {
    stage: WasmStage,
    _runtime: Runtime,
}

impl World {
    async fn new() -> Self {
        let (orders, keys) = (Arc::<AtomicU32>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (count, seen) = (Arc::clone(&orders), Arc::clone(&keys));
        let order = move |headers: HeaderMap| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
            seen.lock().unwrap().push(key.unwrap_or_default());
            async move { format!("order {number}") }
        };
        let echo = |headers: HeaderMap| async move {
            headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let away = || async { (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]) };
        let router = Router::new().route("/orders", post(order)).route("/echo", get(echo)).route("/away", get(away));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), CANARY).unwrap();
        Self { folder, port, orders, keys, metrics: Metrics::new(SystemTime::now()) }
    }

    async fn start(&self) -> Process {
        let settings = Settings::new(self.folder.path(), "p", Arc::new(Timestamp::default));
        let store = Arc::new(Sqlite::open(settings).unwrap());
        let (port, token) = (self.port, self.folder.path().join("token"));
        let grant = format!(
            "http = [\"http://localhost:{port}/*\", \"POST http://localhost:{port}/orders\"]\n\
             allow_private = [\"127.0.0.0/8\", \"::1/128\"]\njournal = true\nmax_calls = 2\n\
             [secrets.token]\nfrom = {{ file = {token:?} }}\nhosts = [\"localhost\"]"
        );
        let parts =
            Parts { lookup: Arc::new(SystemLookup), store: Some(Arc::<Sqlite>::clone(&store) as Arc<dyn Store>) };
        let calls = Calls::new(&toml::from_str(&grant).unwrap(), parts).unwrap();
        let runtime = Runtime::new(RuntimeSettings {
            cache: self.folder.path().join("cache"),
            instances: 4.try_into().unwrap(),
            largest_memory: StageLimits::default().memory.as_usize(),
            tokens: Arc::new(gristmill_tokens::BuiltIn),
            shutdown: CancellationToken::new(),
            compiler: Compiler::Here,
        });
        let runtime = runtime.unwrap();
        let stage = runtime.load(StageSpec {
            pipeline: "p".into(),
            name: "reach".into(),
            module: "reach.wasm".into(),
            wasm: Module::read(&guest("reach")).unwrap(),
            config: serde_json::json!({}),
            routed: Default::default(),
            grants: Grants { http: true, state: true, metrics: true, ..Grants::default() },
            limits: StageLimits::default(),
            isolation: Isolation::Item,
            model: None,
            http: Some(Arc::new(calls)),
            state: Some(State { entries: store, quota: Quota { keys: 10, bytes: 1_000 } }),
            metrics: Some(self.metrics.pipeline(&"p".into())),
        });
        let stage = stage.await.unwrap();
        Process { stage, _runtime: runtime }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}/{path}", self.port)
    }
}

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join(format!("{name}.wasm"))
}

impl Process {
    /// What the stage makes of an item at this position.
    async fn run(&self, position: u128, text: &str) -> Result<String, StageError> {
        let event = EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(position) };
        let (job, document) = (JobId::new("p", &event), DocumentId::unnamed(&event));
        let stamp = Stamp { place: event.clone(), time: Timestamp(0) };
        let item = Item {
            id: ItemId::root(&document),
            key: None,
            payload: text.to_owned().into(),
            content_type: None,
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        let (trace, edition) = (TraceContext::of_job(&job), Edition::default());
        let generation = DocumentGeneration::of(&stamp);
        let call = Call {
            job,
            event,
            document,
            generation,
            timestamp: Timestamp(0),
            item,
            attempt: 1,
            edition,
            trace,
            span: trace,
        };
        match self.stage.run(&call).await? {
            Outcome::Emit(outputs) => Ok(String::from_utf8_lossy(&outputs[0].payload).into_owned()),
            other => panic!("{other:?}"),
        }
    }

    async fn text(&self, position: u128, text: &str) -> String {
        self.run(position, text).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_again_in_another_process_posts_once() {
    let world = World::new().await;
    let order = format!("send POST {}", world.url("orders"));
    let first = world.start().await;
    assert_eq!(first.text(1, &order).await, "200 order 0");
    assert_eq!(first.text(1, &order).await, "200 (cached) order 0", "another attempt");
    assert_eq!(first.text(2, &order).await, "200 order 1", "another job");
    drop(first);
    let second = world.start().await;
    assert_eq!(second.text(1, &order).await, "200 (cached) order 0", "as after a crash");
    assert_eq!(world.orders.load(Ordering::SeqCst), 2);
    let keys = world.keys.lock().unwrap();
    assert!(keys.iter().all(|key| key.len() == 32) && keys[0] != keys[1], "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_reaches_what_it_is_granted_and_sees_no_secret() {
    let world = World::new().await;
    let process = world.start().await;
    let echo = world.url("echo");
    let bearer = process.text(1, &format!("send GET {echo}\nAuthorization: Bearer {{{{secret.token}}}}")).await;
    assert_eq!(bearer, "200 Bearer {{secret.token}}", "it arrived, and came back as its placeholder");
    for (position, line, expected) in [
        (2, format!("send GET http://127.0.0.1:{}/echo", world.port), "not in the grant"),
        (3, format!("send DELETE {}", world.url("orders")), "DELETE is not granted"),
        (4, format!("send GET {}", world.url("..%2fadmin")), "several ways"),
        (5, format!("send GET {echo}\nx: a\\nhost: evil.test"), "InvalidRequest"),
        (6, format!("send GET {echo}\nTransfer-Encoding: chunked"), "the host sets it"),
        (7, format!("send GET {}", world.url("away")), "302 "),
        (8, format!("send-many 3 {echo}"), "max_calls"),
        (9, "send GET http://user@localhost/".to_owned(), "user name"),
    ] {
        let said = process.text(position, &line).await;
        assert!(said.contains(expected) && !said.contains("canary"), "{line}: {said}");
    }
    let refused = process.run(10, &format!("send-or-fail GET {}", world.url("none"))).await;
    assert!(matches!(refused, Err(StageError::Permanent(failure)) if failure.code == "http-refused"));
    for entry in std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let is_store = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("p.sqlite"));
        if is_store {
            let bytes = std::fs::read(&entry).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "{}", entry.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_outlive_the_process_and_many_items_count_exactly() {
    let world = World::new().await;
    let first = Arc::new(world.start().await);
    let adding = (0..20).map(|position| {
        let process = Arc::clone(&first);
        tokio::spawn(async move { process.text(position, "add seen").await })
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.unwrap();
    }
    assert_eq!(first.text(1, "first order-7").await, "true");
    drop(first);
    let second = world.start().await;
    assert_eq!(second.text(1, "get seen").await, "20");
    assert_eq!(second.text(1, "first order-7").await, "true", "the same item again");
    assert_eq!(second.text(2, "first order-7").await, "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_counts_is_in_the_metrics_of_the_host() {
    let world = World::new().await;
    let process = world.start().await;
    process.text(1, "count pages scanned").await;
    process.text(2, "count pages scanned").await;
    let text = world.metrics.render(&Scrape {
        now: Timestamp(0),
        readiness: Readiness::NotReady,
        version: "0",
        pipelines: Vec::new(),
        stopped: Vec::new(),
        targets: Vec::new(),
        sandbox: SandboxNow { running: 0, idle: 0, most: 4, memory: 0 },
        spans: SpansNow { sent: 0, lost: 0 },
    });
    let expected = "gristmill_stage_custom_total{pipeline=\"p\",stage=\"reach\",name=\"pages\",kind=\"scanned\"} 4";
    assert!(text.lines().any(|line| line == expected), "{text}");
}
