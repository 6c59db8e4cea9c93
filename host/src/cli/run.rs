//! `gristmill run`.

use tokio_util::sync::CancellationToken;

use super::args::Run;
use super::files;
use crate::app::{self, Failure, Host, HostOptions, Memory};
use crate::settings::HostFile;

/// Runs pipelines until they are stopped.
pub(super) async fn run(args: &Run) -> Result<(), Failure> {
    let host = args.host.as_deref().map(HostFile::load).transpose()?.unwrap_or_default();
    let pipelines = files::load_to_run(&args.pipelines, &host)?;
    let shutdown = CancellationToken::new();
    app::on_signals(shutdown.clone())?;
    for pipeline in &pipelines {
        let stages = pipeline.stages.len();
        tracing::info!(pipeline = %pipeline.name, stages, "loading; new stages are compiled first");
    }
    let options = HostOptions { memory: Memory::Durable, limits: host.limits, shutdown, observers: Vec::new() };
    let (built, ends) = Host::build(pipelines, options).await?;
    let host = built.start().await?;
    if let Some(brokers) = host.embedded_address() {
        tracing::warn!(
            brokers,
            "the embedded broker keeps everything in memory, 5 MiB per partition, and ends with this process; \
             `gristmill send` and kcat reach it at this address"
        );
    }
    ends.all().await
}
