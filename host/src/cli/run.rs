//! `gristmill run`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::Run;
use crate::app::{self, Failure, Running, Totals};
use crate::config::{Brokers, Pipeline};

/// Runs a pipeline until it is told to stop.
pub(super) async fn run(args: &Run) -> Result<(), Failure> {
    let mut pipeline = Pipeline::load(&args.pipeline)?;
    app::override_brokers(&mut pipeline)?;
    let shutdown = CancellationToken::new();
    app::on_signals(shutdown.clone())?;
    tracing::info!(pipeline = %pipeline.name, stages = pipeline.stages.len(), "loading; new stages are compiled first");
    let loaded = app::load(&pipeline, None, shutdown.clone()).await?;
    let totals = Arc::new(Totals::default());
    let running = Running::connect(&pipeline, loaded, Arc::<Totals>::clone(&totals), shutdown).await?;
    let brokers = running.settings.brokers.as_str();
    if pipeline.kafka.brokers == Brokers::Embedded {
        tracing::warn!(
            brokers,
            "the embedded broker keeps everything in memory, 5 MiB per partition, and ends with this process; \
             `gristmill send` and kcat reach it at this address"
        );
    }
    let (source, sink, dead) = (&*pipeline.source.topic, &*pipeline.sink.topic, &*pipeline.dead_letter.topic);
    tracing::info!(pipeline = %pipeline.name, brokers, source, sink, dead_letters = dead, "running");
    let over = CancellationToken::new();
    let (ended, ()) = tokio::join!(
        async {
            let ended = running.run().await;
            over.cancel();
            ended
        },
        totals.report(&pipeline.name, over.clone()),
    );
    ended
}
