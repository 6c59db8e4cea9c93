//! The side of the child: it limits itself before it sees the module, and ends when nobody waits for it any more.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context;
use gristmill_core::ports::Tokens;
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use tokio_util::sync::CancellationToken;

use super::compiler::{Answer, CompileLimits, Compiler, Errand};
use super::module::Module;
use super::runtime::{Runtime, RuntimeSettings, StageSpec};

/// The longest errand without its module, in bytes.
const LONGEST_ERRAND: u64 = 64 << 20;
/// The largest file it may write: the code of one module.
const LARGEST_FILE: u64 = 1 << 30;
/// So much less important than its parent, whose jobs go on meanwhile.
const NICE: i32 = 5;
/// How many instances a trial has at a time, and one to spare.
const INSTANCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// Reads an errand and its module from `input`, limits this process to what the errand allows, compiles the module into the
/// cache, and returns what the parent is to be told. The process aborts when `input` ends, because then the parent is gone.
///
/// # Errors
/// The input is not what a parent writes, or this process cannot be limited.
pub async fn compile_for_parent(input: impl Read + Send + 'static, tokens: Arc<dyn Tokens>) -> anyhow::Result<Vec<u8>> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    input.by_ref().take(LONGEST_ERRAND).read_until(b'\n', &mut line).context("the errand cannot be read")?;
    let errand: Errand = serde_json::from_slice(&line).context("the errand cannot be read")?;
    limit(errand.limits).context("this process cannot be limited")?;
    let mut wasm = Vec::new();
    input.by_ref().take(errand.size).read_to_end(&mut wasm).context("the module cannot be read")?;
    std::thread::Builder::new().name("parent".into()).spawn(move || {
        // Nothing more is written: this returns when the parent has ended.
        let _ = input.read(&mut [0]);
        std::process::abort();
    })?;
    let answer = compile(errand, Module::new(wasm), tokens).await?;
    Ok(serde_json::to_vec(&answer)?)
}

async fn compile(errand: Errand, wasm: Module, tokens: Arc<dyn Tokens>) -> anyhow::Result<Answer> {
    let settings = RuntimeSettings {
        cache: errand.cache,
        instances: INSTANCES,
        largest_memory: errand.largest_memory,
        tokens,
        shutdown: CancellationToken::new(),
        compiler: Compiler::Here,
    };
    let spec = StageSpec {
        pipeline: errand.pipeline.into(),
        name: errand.stage.into(),
        module: String::new(),
        wasm,
        config: errand.config,
        routed: errand.routed,
        grants: errand.grants,
        limits: errand.stage_limits,
        isolation: errand.isolation,
        // What reaches outside is for items.
        model: None,
        http: None,
        state: None,
        metrics: None,
    };
    Ok(match Runtime::new(settings)?.load(spec).await {
        Ok(stage) => Answer::Made(stage.start().clone()),
        Err(error) => error.reason.into(),
    })
}

/// Limits this process, for good.
fn limit(limits: CompileLimits) -> anyhow::Result<()> {
    // Not the address space, of which instances reserve much more than they use. This counts what can be written to.
    bound(Resource::Data, limits.memory.as_usize() as u64)?;
    bound(Resource::Cpu, limits.cpu.as_secs() + u64::from(limits.cpu.subsec_nanos() > 0))?;
    bound(Resource::Fsize, LARGEST_FILE)?;
    bound(Resource::Core, 0)?;
    // A thread that panics, because it got no stack for example, would be waited for.
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        std::process::abort();
    }));
    // Where the system is not asked for this, both only make it a better neighbour.
    let _ = nice(NICE);
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

fn bound(resource: Resource, most: u64) -> anyhow::Result<()> {
    // The soft limit of time ends the process with a signal that tells why; the hard one a second later would not.
    let hard = if matches!(resource, Resource::Cpu) { most + 1 } else { most };
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(hard) })?)
}
