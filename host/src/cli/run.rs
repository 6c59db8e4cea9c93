//! `gristmill run`.

use std::sync::Arc;
use std::time::Duration;

use gristmill_admin::Admin;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::args::{Run, ServerChoice};
use super::files;
use super::reloads::{Reloads, host_file};
use crate::app::{
    self, Api, ApiOptions, Desk, DeskOptions, Failure, Following, Host, HostOptions, Memory, Payloads, RecordSettings,
    ServiceManager, Versions, Watchers,
};
use crate::settings::{HostFile, Pipeline};

/// How long the end of the process waits for the last spans of traces.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Runs pipelines until they are stopped.
pub(super) async fn run(args: &Run) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    app::on_signals(shutdown.clone())?;
    let mut hangups = app::hangups()?;
    let service = ServiceManager::of_this_process();
    let file = host_file(args)?;
    let pipelines = files::load_to_run(&args.pipelines, &file)?;
    for pipeline in &pipelines {
        let stages = pipeline.stages.len();
        tracing::info!(pipeline = %pipeline.name, stages, "loading; new stages are compiled first");
    }
    service.loading(pipelines.len());
    let (traces, exporting) = app::start_traces(&file.traces)?.unzip();
    let watchers = Watchers { traces, ..Watchers::default() };
    let desk = open_desk(args, &file, &watchers, &shutdown).await?;
    let following = follow(&file, &shutdown).await?;
    let api = open_api(&file, &pipelines, &shutdown).await?;
    let limits = file.limits;
    let options = HostOptions {
        memory: Memory::Durable,
        limits,
        compiler: app::compiler_in_child(limits.compile)?,
        shutdown: shutdown.clone(),
        watchers,
        following,
        versions: Versions::open(&file.versions).await,
        registry: app::registry(app::Network::Online)?,
    };
    let stopped = || {
        tracing::info!("stopped before any pipeline ran");
        Ok(())
    };
    let Some(built) = shutdown.run_until_cancelled(Box::pin(Host::build(pipelines, options))).await else {
        return stopped();
    };
    let (built, ends) = built?;
    let Some(host) = built.start().await? else { return stopped() };
    if let Some(brokers) = host.embedded_address() {
        tracing::warn!(
            brokers,
            "the embedded broker keeps everything in memory, 5 MiB per partition, and ends with this process; \
             `gristmill send` and kcat reach it at this address"
        );
    }
    if let Some((desk, _)) = &desk {
        desk.attend(&host);
    }
    if let Some(api) = &api {
        api.attend(&host);
    }
    service.ready();
    let reloads = Reloads::new(args, &file, Arc::clone(&host));
    let watching = Reloads::new(args, &file, Arc::clone(&host)).watch();
    let reloads = async {
        while hangups.recv().await.is_some() {
            service.reloading();
            reloads.all().await;
            service.ready();
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = ends.all() => ended,
        () = reloads => Ok(()),
        () = watching => Ok(()),
        never = service.watch(&host, &shutdown) => match never {},
    };
    if let Some(api) = api {
        api.finish().await;
    }
    if let Some(exporting) = exporting {
        exporting.finish(LAST_SPANS).await;
    }
    tracing::info!("stopped");
    ended
}

/// What is kept of jobs, if anybody can follow them. Large payloads are swept until the process stops.
async fn follow(file: &HostFile, shutdown: &CancellationToken) -> Result<Following, Failure> {
    let records = file.api.as_ref().map(|api| RecordSettings { which: api.record, results: api.results });
    let offload = match file.object_settings() {
        Some(settings) => {
            let payloads = Payloads::open(&settings, &file.store).await?;
            let offload = payloads.offload();
            tokio::spawn(payloads.sweep(shutdown.clone()));
            Some(offload)
        }
        None => None,
    };
    Ok(Following { records, offload })
}

/// Opens the HTTP API, if there is one. It answers before any pipeline runs.
async fn open_api(
    file: &HostFile,
    pipelines: &[Pipeline],
    shutdown: &CancellationToken,
) -> Result<Option<Api>, Failure> {
    let Some(settings) = &file.api else { return Ok(None) };
    let pipelines = pipelines.iter().map(|pipeline| pipeline.name.shared()).collect();
    let (auth, webhooks) = (file.auth.as_ref(), file.webhooks.as_ref());
    Api::open(ApiOptions { settings, auth, webhooks, pipelines, shutdown }).await.map(Some)
}

/// Opens the admin server, unless it is switched off. It answers before any pipeline runs, and until it is dropped.
async fn open_desk(
    args: &Run,
    file: &HostFile,
    watchers: &Watchers,
    shutdown: &CancellationToken,
) -> Result<Option<(Arc<Desk>, DropGuard)>, Failure> {
    let admin = match args.admin {
        None => file.admin.clone(),
        Some(ServerChoice::Off) => Admin::Off,
        Some(ServerChoice::On(listen)) => file.admin.clone().listen_on(listen),
    };
    let (paths, host) = (args.pipelines.clone(), args.host.clone());
    let options = DeskOptions {
        metrics: Arc::clone(&watchers.metrics),
        traces: watchers.traces.clone(),
        shutdown: shutdown.clone(),
        files: Box::new(move |name| files::load_one(&paths, &files::host(host.as_deref())?, name)),
    };
    Desk::open(&admin, options).await
}
