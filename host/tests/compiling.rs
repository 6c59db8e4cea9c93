//! The process that compiles modules for a host: what it gives back, what it may use, and when it ends.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill::app::compiler_child;
use gristmill_core::settings::ByteSize;
use gristmill_wasm::{
    CompileLimits, Compiler, Grants, Isolation, LoadError, Module, Runtime, RuntimeSettings, StageLimits, StageSpec,
    Start, WasmStage,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const USUAL: CompileLimits =
    CompileLimits { memory: ByteSize::mib(2_048), cpu: Duration::from_secs(300), wall: Duration::from_secs(600) };

fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo stages` first", path.display()))
}

/// The guest "misbehave", which is told in its bytes what to do wrong in its `init`.
fn hostile(word: &str) -> Vec<u8> {
    let mut module = guest("misbehave");
    let marker = b"GRISTMILL-INIT:";
    let at = module.windows(marker.len()).position(|window| window == marker).unwrap() + marker.len();
    let told = format!("{word:<11}");
    module[at..at + told.len()].copy_from_slice(told.as_bytes());
    module
}

/// A number as WebAssembly writes it.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], number(content.len()), content.to_vec()].concat()
}

/// A good stage with further functions that nothing calls, but a compiler works on for minutes.
fn bomb() -> Vec<u8> {
    // if (local 0) {}
    let code = [0x20, 0, 0x04, 0x40, 0x0b].repeat(50_000);
    let body = [number(code.len() + 2), vec![0], code, vec![0x0b]].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7f, 0]),
        section(3, &[number(100), vec![0; 100]].concat()),
        section(10, &[number(100), body.repeat(100)].concat()),
    ];
    [guest("pass"), section(1, &module.concat())].concat()
}

struct Compiling {
    folder: TempDir,
    program: PathBuf,
    limits: CompileLimits,
}

impl Compiling {
    fn with(limits: CompileLimits) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_gristmill"));
        Self { folder: tempfile::tempdir().unwrap(), program, limits }
    }

    fn cached(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("cache")).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    async fn load(&self, wasm: Vec<u8>, config: Value) -> Result<WasmStage, LoadError> {
        let child = compiler_child(self.program.clone(), self.limits);
        let limits = StageLimits { cpu: Duration::from_millis(300), ..StageLimits::default() };
        let runtime = Runtime::new(RuntimeSettings {
            cache: self.folder.path().join("cache"),
            instances: 4.try_into().unwrap(),
            largest_memory: limits.memory.as_usize(),
            tokens: Arc::new(gristmill_tokens::BuiltIn),
            shutdown: CancellationToken::new(),
            compiler: Compiler::Child(child),
        })
        .unwrap();
        let spec = StageSpec {
            pipeline: "test".into(),
            name: "under-test".into(),
            module: "test.wasm".into(),
            wasm: Module::new(wasm),
            config,
            routed: Default::default(),
            grants: Grants { llm: true, ..Grants::default() },
            limits,
            isolation: Isolation::Item,
            model: None,
            http: None,
            state: None,
            metrics: None,
        };
        runtime.load(spec).await
    }

    async fn refused(&self, wasm: Vec<u8>, config: Value) -> String {
        self.load(wasm, config).await.err().unwrap().to_string()
    }
}

#[tokio::test]
async fn a_stage_is_compiled_by_a_child_and_found_in_the_cache() {
    let compiling = Compiling::with(USUAL);
    let stage = compiling.load(guest("pass"), json!({})).await.unwrap();
    assert_eq!((stage.start(), &*stage.description().name), (&Start::Snapshot, "pass"));
    let cached = compiling.cached();
    assert_eq!(cached.len(), 2, "the code and the notes: {cached:?}");
    let nobody = Compiling { program: "/nonexistent".into(), folder: compiling.folder, ..Compiling::with(USUAL) };
    nobody.load(guest("pass"), json!({})).await.unwrap();
    let refused = nobody.refused(guest("batch"), json!({})).await;
    assert!(refused.contains("was not compiled") && refused.contains("No such file"), "{refused}");
}

#[tokio::test]
async fn a_stage_without_a_snapshot_comes_from_a_child_too() {
    let compiling = Compiling::with(USUAL);
    let stage = compiling.load(guest("misbehave"), json!({ "init": "clock" })).await.unwrap();
    assert!(matches!(stage.start(), Start::Init { why } if why.contains("the time")), "{:?}", stage.start());
    assert_eq!(compiling.cached().len(), 2, "the code under its module, and the notes");
}

#[tokio::test]
async fn what_is_wrong_is_told_as_without_a_child() {
    let compiling = Compiling::with(USUAL);
    for (wasm, config, expected) in [
        (guest("misbehave"), json!({ "inti": "spin" }), "does not take this configuration: "),
        (guest("misbehave"), json!({ "init": "refuse" }), "/init: told to refuse"),
        (hostile("spin"), json!({}), "failed in init: cpu-limit: the stage used more than its 300ms of CPU time"),
        (hostile("panic"), json!({}), "told to panic"),
        (guest("pass")[..100_000].to_vec(), json!({}), "does not compile"),
    ] {
        let refused = compiling.refused(wasm, config).await;
        assert!(refused.starts_with("stage \"under-test\": test.wasm: ") && refused.contains(expected), "{refused}");
        assert!(refused.matches("does not").count() <= 1, "told twice: {refused}");
    }
}

#[tokio::test]
async fn a_module_that_costs_too_much_is_given_up_at_each_limit() {
    for (limits, expected) in [
        (CompileLimits { memory: ByteSize::mib(256), ..USUAL }, "256MiB of memory (limits.compile.memory)"),
        (CompileLimits { cpu: Duration::from_secs(1), ..USUAL }, "1s of CPU time (limits.compile.cpu)"),
        (CompileLimits { wall: Duration::from_secs(1), ..USUAL }, "1s of time (limits.compile.wall)"),
    ] {
        let compiling = Compiling::with(limits);
        let refused = compiling.refused(bomb(), json!({})).await;
        assert!(refused.contains("is too costly") && refused.contains(expected), "{refused}");
        assert!(refused.contains("or raise the limit"), "the way out: {refused}");
        let left = compiling.cached();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The processes whose parent is this one.
fn children(parent: u32) -> Vec<u32> {
    let of = |process: &Path| {
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        // The name in parentheses may have spaces.
        let after = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()?;
        (after == parent).then(|| process.file_name()?.to_str()?.parse().ok())?
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| of(&entry.ok()?.path())).collect()
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kills the host if a test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_child_does_not_outlive_its_host() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("bomb.wasm");
    std::fs::write(&module, bomb()).unwrap();
    let file = folder.path().join("pipeline.toml");
    let text = "name = \"bomb\"\n[kafka]\nbrokers = \"embedded\"\n[source]\ntopic = \"a\"\n[sink]\ntopic = \"b\"\n\
                [dead_letter]\ntopic = \"c\"\n[[stage]]\nname = \"bomb\"\nmodule = \"bomb.wasm\"\n";
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    command.args(["run", "--admin", "off"]).arg(&file).env("GRISTMILL_CACHE", folder.path().join("cache"));
    command.env("GRISTMILL_STATE", folder.path().join("state")).env_remove("GRISTMILL_BROKERS");
    let mut host = Killed(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut child = None;
    until("a child compiles", || {
        assert!(host.0.try_wait().unwrap().is_none(), "the host ended");
        child = children(host.0.id()).first().copied();
        child.is_some()
    });
    host.0.kill().unwrap();
    host.0.wait().unwrap();
    let child = PathBuf::from(format!("/proc/{}", child.unwrap()));
    // One that has ended and that nobody waited for has no command line any more.
    until("the child has ended", || std::fs::read(child.join("cmdline")).map_or(true, |line| line.is_empty()));
}
