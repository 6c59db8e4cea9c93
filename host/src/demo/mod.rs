//! `gristmill demo`: runs the example `examples/documents` with nothing installed.

mod example;
mod model;
mod summary;
mod watch;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use crate::app::{self, Failure, Host, HostOptions, Memory};
use crate::console;
use crate::settings::{HostLimits, Pipeline};
use example::Example;
use gristmill_core::ports::Observer;
use watch::Watch;

/// How the demo is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Keep running until Ctrl-C after the documents are done.
    pub keep: bool,
    /// No spinner and no colours, even on a terminal.
    pub plain: bool,
}

/// A model may be slow, but a demo that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs the demo: an in-memory broker, five stages, four documents. Prints each step, then a summary.
///
/// # Errors
/// If the pipeline cannot be built or fails, or the documents cannot be sent.
pub async fn run(options: Options) -> Result<(), Failure> {
    let example = Example::unpack()?;
    let mut pipeline = Pipeline::load(&example.pipeline_file())?;
    app::embed(&mut pipeline);
    let choice = model::choose().await;
    if let Some(target) = choice.target {
        for alias in pipeline.models.values_mut() {
            alias.targets = vec![target.clone()];
        }
    }
    say(&format!("Gristmill demo: {} documents through {} stages", example.documents().len(), pipeline.stages.len()))?;
    say("  broker  embedded: in this process, in memory, for trying things out")?;
    say(&format!("  model   {}\n", choice.why))?;

    let shutdown = CancellationToken::new();
    app::on_signals(shutdown.clone())?;
    let spinner = spinner(options, "compiling the stages for this machine; the result is cached for next time")?;
    let watch = Arc::new(Watch::new(options.plain));
    let observers: Vec<Arc<dyn Observer>> = vec![Arc::<Watch>::clone(&watch)];
    let host_options = HostOptions {
        memory: Memory::ThisProcess,
        limits: HostLimits::default(),
        compiler: app::Compiler::Here,
        shutdown: shutdown.clone(),
        watchers: app::Watchers { observers, ..app::Watchers::default() },
        following: app::Following::default(),
        versions: app::Versions::none(),
        registry: app::registry(app::Network::Online)?,
    };
    let built = shutdown.run_until_cancelled(Box::pin(Host::build(vec![pipeline.clone()], host_options))).await;
    spinner.finish_and_clear();
    let Some(built) = built else { return Ok(()) };
    let (built, ends) = built?;
    let Some(host) = built.start().await? else { return Ok(()) };
    let broker = host.broker(&pipeline.name)?;

    let records = example.records(&pipeline.source.topic.shared());
    let documents = records.len();
    let groups = records.into_iter().map(|record| vec![record]).collect();
    broker.write(groups, Some(pipeline.group()), &|_| {}).await.map_err(anyhow::Error::new)?;
    tokio::select! {
        () = watch.ended(documents) => {}
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(PATIENCE) => {
            say(&format!("some documents are not finished after {PATIENCE:?}"))?;
        }
    }
    say(&watch.summary(documents))?;
    if options.keep && !shutdown.is_cancelled() {
        let brokers = host.embedded_address().unwrap_or_default();
        say(&summary::still_running(&brokers, &pipeline, &example.pipeline_file()))?;
        shutdown.cancelled().await;
    } else {
        say(summary::NEXT)?;
    }
    shutdown.cancel();
    ends.all().await
}

/// Prints a line.
fn say(line: &str) -> anyhow::Result<()> {
    console::print(&format!("{line}\n")).map(drop)
}

/// Shows that something takes a while: a spinner on a terminal, otherwise a line.
fn spinner(options: Options, what: &'static str) -> anyhow::Result<ProgressBar> {
    if options.plain || !std::io::stderr().is_terminal() {
        say(what)?;
        return Ok(ProgressBar::hidden());
    }
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    Ok(spinner)
}
