//! `gristmill run`.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::args::Run;
use super::files;
use crate::app::{self, Failure, Host, Running, Totals};

/// Runs pipelines until they are told to stop.
pub(super) async fn run(args: &Run) -> Result<(), Failure> {
    let pipelines = files::load_to_run(&args.pipelines)?;
    let shutdown = CancellationToken::new();
    app::on_signals(shutdown.clone())?;
    for pipeline in &pipelines {
        let stages = pipeline.stages.len();
        tracing::info!(pipeline = %pipeline.name, stages, "loading; new stages are compiled first");
    }
    let loaded = app::load_all(&pipelines, app::Memory::Durable, shutdown.clone()).await?;
    let host = Host::start(&pipelines, shutdown)?;
    if let Some(brokers) = host.embedded_address() {
        tracing::warn!(
            brokers,
            "the embedded broker keeps everything in memory, 5 MiB per partition, and ends with this process; \
             `gristmill send` and kcat reach it at this address"
        );
    }
    let connect = pipelines.iter().zip(loaded).map(async |(pipeline, loaded)| {
        let totals = Arc::new(Totals::default());
        let running = Running::connect(&host, pipeline, loaded, Arc::<Totals>::clone(&totals)).await?;
        Ok((running, totals))
    });
    let running = app::all(join_all(connect).await)?;
    for (pipeline, (running, _)) in pipelines.iter().zip(&running) {
        let brokers = running.settings.brokers.as_str();
        let (source, sink, dead) = (&*pipeline.source.topic, &*pipeline.sink.topic, &*pipeline.dead_letter.topic);
        tracing::info!(pipeline = %pipeline.name, brokers, source, sink, dead_letters = dead, "running");
    }
    app::run_all(running).await
}
