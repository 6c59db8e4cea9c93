//! Runs Gristmill from topic to topic.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gristmill::app;
use gristmill::settings::{HostLimits, Pipeline};
use gristmill_core::flow::settings::{Checkpoint, DeadLetter, DocumentName, Limits, Order, RetryPolicy, Tombstones};
use gristmill_core::flow::{self, Delivery, Deployment, Handle, Step, Waits};
use gristmill_core::model::{Plan, Sampling, Timestamp};
use gristmill_core::ports::{FlowEvent, NoLetters, Observer, Stage, Store};
use gristmill_core::settings::TopicName;
use gristmill_kafka::{KafkaSink, KafkaSource, Settings, SourceSettings};
use gristmill_stage_chunk::Chunk;
use gristmill_stage_sanitize::Sanitize;
use gristmill_store::{self as store, Sqlite};
use gristmill_wasm::Isolation;
use tokio_util::sync::CancellationToken;

use super::native::{Native, Pass};
use super::{Run, cpu_time};

/// Jobs in flight. Each waits some milliseconds for its acknowledgement, so high throughput needs many.
const IN_FLIGHT: u32 = 2_000;
const SANITIZE: &str = r#"{ "pii": { "default": "keep", "email": "mask", "phone": "mask" }, "artifacts": false }"#;
const CHUNK: &str = r#"{ "size": 1000 }"#;
/// The same two as a pipeline file says them.
pub(crate) const SANITIZE_TOML: &str =
    "{ pii = { default = \"keep\", email = \"mask\", phone = \"mask\" }, artifacts = false }";
pub(crate) const CHUNK_TOML: &str = "{ size = 1000 }";

/// Where a run reads and writes.
pub(crate) struct Place<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) source: &'a str,
    pub(crate) group: &'a str,
    pub(crate) sink: &'a str,
    pub(crate) dead: &'a str,
}

/// Counts ended jobs and records when the first one started.
#[derive(Default)]
struct Count {
    begun: std::sync::OnceLock<(Instant, Duration)>,
    ended: Arc<AtomicUsize>,
    wanted: usize,
    done: CancellationToken,
}

impl Observer for Count {
    fn observe(&self, event: &FlowEvent<'_>) {
        match event {
            FlowEvent::JobStarted { .. } => {
                self.begun.get_or_init(|| (Instant::now(), cpu_time()));
            }
            FlowEvent::JobEnded { .. } if self.ended.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted => {
                self.done.cancel();
            }
            _ => {}
        }
    }
}

/// The limits of a pipeline for high throughput; otherwise the defaults.
pub(crate) fn for_throughput() -> Limits {
    Limits { max_in_flight: IN_FLIGHT.try_into().unwrap(), ..by_default() }
}

/// The default limits.
pub(crate) fn by_default() -> Limits {
    Limits::default()
}

/// Runs the steps over this many events. Measures the time until they are committed.
pub(crate) async fn run(place: Place<'_>, steps: Vec<Step>, count: usize, limits: Limits) -> Run {
    run_watched(place, steps, count, limits, Arc::default()).await
}

/// Like [`run`]; increments `ended` when a job ends.
pub(crate) async fn run_watched(
    place: Place<'_>,
    steps: Vec<Step>,
    count: usize,
    limits: Limits,
    ended: Arc<AtomicUsize>,
) -> Run {
    // A store as the host opens it, on the disk of the target folder.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let keeps = steps.iter().any(|step| step.checkpoint.is_some());
    let store = keeps.then(|| -> Arc<dyn Store> {
        let settings = store::Settings::new(folder.path().to_path_buf(), "bench", Arc::new(|| Timestamp(0)));
        Arc::new(Sqlite::open(settings).unwrap())
    });
    let mut source = KafkaSource::open(place.settings, SourceSettings::new(place.group, &[place.source])).unwrap();
    let observer = Arc::new(Count { wanted: count, ended, ..Count::default() });
    let plan = Arc::new(Plan::straight(&steps.iter().map(|step| &*step.name).collect::<Vec<&str>>()));
    let deployment = Arc::new(Deployment::new(1, plan, steps, None));
    let pipeline = flow::Pipeline {
        name: "bench".into(),
        content_type: None,
        document: DocumentName::default(),
        tombstones: Tombstones::default(),
        documents: None,
        delivery: Delivery::AtLeastOnce(Arc::new(KafkaSink::open(place.settings).unwrap())),
        output_topic: place.sink.into(),
        dead_letter: DeadLetter { topic: TopicName::new(place.dead).unwrap(), connect_headers: false },
        letters: Arc::new(NoLetters),
        order: Order::None,
        store,
        recording: None,
        offload: None,
        accounts: None,
        sampling: Sampling::default(),
        clock: || Timestamp(0),
        observer: Arc::<Count>::clone(&observer),
        limits,
    };
    // In a separate task, as in the host: spawning tasks from there is cheaper.
    let (_handle, commands) = Handle::new(observer.done.clone());
    let work = async move { flow::run(&mut source, Arc::new(pipeline), deployment, commands).await };
    tokio::spawn(work).await.unwrap().unwrap();
    assert_eq!(observer.ended.load(Ordering::Relaxed), count, "an event was delivered twice");
    let (wall, cpu) = observer.begun.get().unwrap();
    Run { wall: wall.elapsed(), cpu: cpu_time() - *cpu }
}

/// A stage that changes nothing, in the sandbox.
pub(crate) async fn pass_through(isolation: Isolation, checkpoint: Checkpoint) -> Vec<Step> {
    load(&pass_stage(), isolation, checkpoint).await
}

/// The lines of a pipeline file for it.
pub(crate) fn pass_stage() -> String {
    guest("pass")
}

/// The same for one that fails when it is told to.
pub(crate) fn failing_stage() -> String {
    // It could ask models, too.
    let models =
        "[models.m]\ntargets = [{ provider = \"openai\", model = \"m\", base_url = \"http://127.0.0.1:9\" }]\n";
    format!("{}grants = [\"llm\"]\n{models}", guest("misbehave"))
}

fn guest(name: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join(format!("{name}.wasm"));
    format!("[[stage]]\nname = {name:?}\nmodule = {:?}\n", file.display().to_string())
}

/// The same without a sandbox.
pub(crate) fn pass_natively() -> Vec<Step> {
    vec![native_step("pass", Arc::new(Pass))]
}

/// The two standard stages, in the sandbox.
pub(crate) async fn sandboxed(isolation: Isolation, checkpoint: Checkpoint) -> Vec<Step> {
    load(&standard_stages(), isolation, checkpoint).await
}

/// The lines of a pipeline file for them.
pub(crate) fn standard_stages() -> String {
    format!(
        "[[stage]]\nname = \"sanitize\"\nmodule = \"builtin:sanitize\"\nconfig = {SANITIZE_TOML}\n\
         [[stage]]\nname = \"chunk\"\nmodule = \"builtin:chunk\"\nconfig = {CHUNK_TOML}\n"
    )
}

/// The same two without a sandbox.
pub(crate) fn natively() -> Vec<Step> {
    vec![
        native_step("sanitize", Arc::new(Native::<Sanitize>::new(SANITIZE))),
        native_step("chunk", Arc::new(Native::<Chunk>::new(CHUNK))),
    ]
}

fn native_step(name: &str, stage: Arc<dyn Stage>) -> Step {
    let (digest, retry) = ("native".into(), RetryPolicy::default());
    Step { name: name.into(), stage, digest, retry, waits: Waits::Never, checkpoint: None }
}

/// Loads the stages of such lines as the host does.
pub(crate) async fn load(stages: &str, isolation: Isolation, checkpoint: Checkpoint) -> Vec<Step> {
    let file = format!(
        "name = \"bench\"\n[kafka]\nbrokers = \"embedded\"\n[source]\ntopic = \"a\"\n[sink]\ntopic = \"b\"\n\
         [dead_letter]\ntopic = \"c\"\n[limits]\nmax_in_flight = {IN_FLIGHT}\n{stages}"
    );
    let mut pipeline = Pipeline::parse(&file, Path::new("bench.toml")).unwrap();
    for stage in &mut pipeline.stages {
        (stage.isolation, stage.checkpoint) = (isolation, checkpoint);
    }
    let (memory, shutdown) = (app::Memory::ThisProcess, CancellationToken::new());
    let options = app::HostOptions {
        memory,
        limits: HostLimits::default(),
        compiler: app::Compiler::Here,
        shutdown,
        watchers: app::Watchers::default(),
        following: app::Following::default(),
        versions: app::Versions::none(),
        registry: app::registry(app::Network::Online).unwrap(),
    };
    let (built, _) = app::Host::build(vec![pipeline], options).await.unwrap();
    let (_, loaded) = built.pipelines().next().unwrap();
    loaded.deployment.steps.clone()
}
