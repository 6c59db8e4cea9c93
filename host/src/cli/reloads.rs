//! What changes on disk while `gristmill run` runs: read again when the operator says so, or by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use gristmill_api::ApiSettings;

use super::args::{Run, ServerChoice};
use super::files;
use crate::app::{self, Failure, FileWatch, Host, Reloaded, Watching};
use crate::settings::{HostFile, Module, Pipeline, PipelineFile, Watch};

/// The host file, with what the command line says of the API.
pub(super) fn host_file(args: &Run) -> Result<HostFile, Failure> {
    let file = files::host(args.host.as_deref())?;
    let api = match (args.api, file.api) {
        (None, api) => api,
        (Some(ServerChoice::Off), _) => None,
        (Some(ServerChoice::On(listen)), Some(api)) => Some(ApiSettings { listen, ..api }),
        (Some(ServerChoice::On(listen)), None) => Some(ApiSettings::on(listen)),
    };
    Ok(HostFile { api, ..file })
}

/// What is read again, and for which host.
pub(super) struct Reloads<'a> {
    args: &'a Run,
    /// The host file that the process was started with.
    before: &'a HostFile,
    host: Arc<Host>,
    /// The settings with which a pipeline was last tried, where that failed: what has not changed since is not tried again.
    failed: BTreeMap<Arc<str>, PipelineFile>,
}

impl<'a> Reloads<'a> {
    pub(super) fn new(args: &'a Run, before: &'a HostFile, host: Arc<Host>) -> Self {
        Self { args, before, host, failed: BTreeMap::new() }
    }

    /// Reads all files again, and lets the pipelines that run take on theirs. What is faulty is logged and changes nothing.
    pub(super) async fn all(&self) {
        tracing::info!("reloading");
        let read = self.host_file().and_then(|file| files::load_to_run(&self.args.pipelines, &file));
        let pipelines = match read {
            Ok(pipelines) => pipelines,
            Err(failure) => {
                tracing::error!("nothing was reloaded, and the pipelines continue as they were: {failure}");
                return;
            }
        };
        let running = self.host.names();
        for name in &running {
            if !pipelines.iter().any(|pipeline| *pipeline.name == **name) {
                tracing::warn!(pipeline = %name, "no file has this pipeline any more; it continues as it was");
            }
        }
        for pipeline in pipelines {
            let name = pipeline.name.shared();
            if !running.contains(&name) {
                tracing::warn!(pipeline = %name, "not running, and a reload starts nothing; restart the process for it");
                continue;
            }
            let _ = self.reload(pipeline).await;
        }
    }

    /// Takes on what changes, until it is dropped. Never ends by itself.
    pub(super) async fn watch(mut self) {
        let how = match self.args.watch.unwrap_or(self.before.watch) {
            Watch::Off => return std::future::pending().await,
            Watch::On => Watching::Told,
            Watch::Poll => Watching::Looked,
        };
        let mut watch = FileWatch::start(how, self.files()).await;
        // First what changed between the moment in which the host read it and this one.
        let mut changed = BTreeSet::new();
        loop {
            Box::pin(self.take(&changed)).await;
            watch.replace(self.files()).await;
            changed = watch.changed().await;
        }
    }

    /// All files that what runs depends on, but for secrets.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut files: BTreeSet<PathBuf> = self.args.pipelines.iter().chain(&self.before.pipelines).cloned().collect();
        for folder in files.clone() {
            files.extend(files::in_folder(&folder).unwrap_or_default());
        }
        files.extend(self.args.host.clone());
        files.extend(self.host.files());
        files
    }

    /// Takes on what changed with these files.
    async fn take(&mut self, changed: &BTreeSet<PathBuf>) {
        let read = self.host_file().map(|file| files::load_each(&self.args.pipelines, &file));
        let (pipelines, faults) = match read {
            Ok((pipelines, read)) => (pipelines, read.err()),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        self.host.note_unread(faults.as_ref());
        let running = self.host.names();
        for mut pipeline in pipelines {
            let name = pipeline.name.shared();
            if !running.contains(&name) {
                continue;
            }
            let ready = app::override_brokers(&mut pipeline).and_then(|()| app::check_brokers(&pipeline));
            if let Err(failure) = ready {
                self.host.note_not_reloaded(&name, &failure);
                continue;
            }
            self.take_pipeline(name, pipeline, changed).await;
        }
    }

    async fn take_pipeline(&mut self, name: Arc<str>, pipeline: Pipeline, changed: &BTreeSet<PathBuf>) {
        let is_touched = |files: BTreeSet<PathBuf>| files.iter().any(|file| changed.contains(file));
        if self.host.runs_with(&name, &pipeline) && !is_touched(beside_modules(&pipeline)) {
            self.failed.remove(&name);
            self.host.note_reloaded(&name);
            if let Err(failure) = self.host.refresh(&name).await {
                tracing::error!(pipeline = %name, "its modules were not looked at: {failure}");
            }
            return;
        }
        let is_tried = self.failed.get(&name).is_some_and(|failed| *failed == *pipeline);
        if is_tried && !is_touched(pipeline.files()) {
            return;
        }
        let settings = (*pipeline).clone();
        match self.reload(pipeline).await {
            Ok(()) => drop(self.failed.remove(&name)),
            Err(failure) => {
                self.host.note_not_reloaded(&name, &failure);
                self.failed.insert(name, settings);
            }
        }
    }

    async fn reload(&self, pipeline: Pipeline) -> Result<(), Failure> {
        let name = pipeline.name.shared();
        match self.host.reload(pipeline).await {
            Ok(Reloaded::Swapped { version }) => tracing::info!(pipeline = %name, version, "reloaded"),
            Ok(Reloaded::Restarted) => tracing::info!(
                pipeline = %name,
                "reloaded by a restart: what changed cannot change in place, such as topics, group, order, limits or the store, or an \
                 outage held jobs"
            ),
            Err(failure) => {
                tracing::error!(pipeline = %name, "not reloaded: {failure}");
                return Err(failure);
            }
        }
        Ok(())
    }

    /// The host file as it is now; what of it cannot change any more is logged.
    fn host_file(&self) -> Result<HostFile, Failure> {
        let (file, before) = (host_file(self.args)?, self.before);
        if file.limits != before.limits {
            tracing::warn!("the limits of the process stay as they were when it was started");
        }
        let of_process = |file: &HostFile| (file.admin.clone(), file.watch, file.versions.clone(), file.traces.clone());
        if of_process(&file) != of_process(before) {
            tracing::warn!("[admin], [versions], [traces] and watch stay as they were when the process was started");
        }
        let of_api =
            |file: &HostFile| (file.api.clone(), file.auth.clone(), file.objects.clone(), file.webhooks.clone());
        if of_api(&file) != of_api(before) {
            tracing::warn!("[api], [auth], [objects] and [webhooks] stay as they were when the process was started");
        }
        Ok(file)
    }
}

/// The files that a pipeline names, without the modules of its stages.
fn beside_modules(pipeline: &Pipeline) -> BTreeSet<PathBuf> {
    let mut files = pipeline.files();
    for stage in &pipeline.stages {
        if let Module::File(path) = &stage.module {
            files.remove(path);
        }
    }
    files
}
