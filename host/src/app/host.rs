//! The process that pipelines run in. It owns what they share - engine, limits of models, brokers - and each pipeline by its
//! name: built, started, paused, reloaded and drained without the others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use gristmill_core::flow::{Handle, Status};
use gristmill_core::ports::{Broker, Sink};
use gristmill_llm::Limits;
use gristmill_registry::Registry;
use gristmill_wasm::{Compiler, Described, Runtime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::broker::Brokers;
use super::changes;
use super::conflicts::check_together;
use super::entrance::{entrance, relabelled};
use super::failure::Failure;
use super::following::Following;
use super::load::Loader;
use super::models;
use super::observers::{Watched, Watchers};
use super::pipeline;
use super::running::{Pipelines, Running, serving};
use super::stages::{Choice, Unfit};
use super::steps::{Reached, Ready, Start, result, work};
use super::store::{self, Memory};
use super::supervisor::Ended;
use super::versions::Versions;
use crate::settings::{HostLimits, Pipeline};

/// What a host is built with, beside its pipelines.
pub struct HostOptions {
    /// How long jobs are remembered.
    pub memory: Memory,
    /// Bounds of the process.
    pub limits: HostLimits,
    /// Who compiles modules.
    pub compiler: Compiler,
    /// Cancelled when the operator wants everything to stop.
    pub shutdown: CancellationToken,
    /// Who watches the pipelines.
    pub watchers: Watchers,
    /// What is kept of jobs, for those who follow them.
    pub following: Following,
    /// The versions of stages.
    pub versions: Versions,
    /// Where modules come from that are in registries.
    pub registry: Registry,
}

/// A process that runs pipelines.
pub struct Host {
    pub(super) runtime: Runtime,
    pub(super) limits: Arc<Limits>,
    pub(super) brokers: Brokers,
    pub(super) documents: store::Embedded,
    pub(super) options: HostOptions,
    /// A lock, because several tasks ask at the same time; it is never held while one waits.
    pub(super) running: Mutex<Pipelines>,
    /// Held while pipelines are started, stopped or reloaded: one change at a time, each from its check to its end.
    pub(super) changing: tokio::sync::Mutex<()>,
    pub(super) ended: mpsc::UnboundedSender<Ended>,
}

/// How a pipeline took on a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// New jobs run the new deployment; those in flight end with the old one.
    Swapped {
        /// Its version.
        version: u64,
    },
    /// It was drained and started again: what changed cannot change while it runs, or an outage held jobs that would have
    /// kept what was wrong.
    Restarted,
}

impl Host {
    /// The names of the pipelines that run.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.running().by_name.keys().cloned().collect()
    }

    /// Where the embedded broker listens, if a pipeline wants one.
    #[must_use]
    pub fn embedded_address(&self) -> Option<String> {
        self.brokers.embedded_address()
    }

    /// The broker of a pipeline that runs.
    ///
    /// # Errors
    /// When there is none of that name; so below.
    pub fn broker(&self, name: &str) -> Result<Arc<dyn Broker>, Failure> {
        self.of(name, |running| Arc::clone(&running.broker))
    }

    /// Writes events of a pipeline that runs, without a connection of its own. An embedded broker is not asked whether it has
    /// room for them.
    pub fn events(&self, name: &str) -> Result<Arc<dyn Sink>, Failure> {
        self.of(name, |running| Arc::clone(&running.events))
    }

    /// Takes no new events in a pipeline until it is resumed. Jobs in flight end, partitions are kept.
    pub async fn pause(&self, name: &str) -> Result<(), Failure> {
        Ok(self.handle(name)?.pause().await.context(not_running(name))?)
    }

    /// Takes events again.
    pub async fn resume(&self, name: &str) -> Result<(), Failure> {
        Ok(self.handle(name)?.resume().await.context(not_running(name))?)
    }

    /// How a pipeline is.
    pub async fn status(&self, name: &str) -> Result<Status, Failure> {
        Ok(self.handle(name)?.status().await.context(not_running(name))?)
    }

    /// Drains a pipeline and waits until it has ended. The others continue. Waits for a change that is under way; so below.
    pub async fn stop(&self, name: &str) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        self.drain(name)?.cancelled().await;
        Ok(())
    }

    /// Starts another pipeline beside those that run.
    ///
    /// # Errors
    /// Faults of its file, or what it would take from another one; brokers, credentials, topics.
    pub async fn start(self: &Arc<Self>, file: Pipeline) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        self.check_beside(&file, |_| true)?;
        let reached = self.reach(self.load(file, Unfit::FallBack).await?).await?;
        self.run(reached.connect().await?).await;
        Ok(())
    }

    /// Takes on a changed file of a pipeline that runs, in place of the one that it runs with. The others continue. A file
    /// that is faulty, alone or beside the others, changes nothing. A paused pipeline stays paused when it is swapped; one
    /// that is restarted takes events again.
    pub async fn reload(self: &Arc<Self>, file: Pipeline) -> Result<Reloaded, Failure> {
        let _changing = self.changing.lock().await;
        let name = file.name.shared();
        let (old, before, broker) = self.of(&name, |running| {
            (running.file.clone(), Arc::clone(&running.serving.deployment), Arc::clone(&running.broker))
        })?;
        let (stores, purse, observer) = self.of(&name, |running| {
            (running.stores.clone(), running.purse.clone(), Arc::clone(&running.watched.observer))
        })?;
        let version = self.of(&name, Running::next)?;
        self.check_beside(&file, |other| *other != *name)?;
        // Those that an outage holds would keep the old key, address or model, which may be what is wrong.
        let is_held = self.handle(&name)?.status().await.context(not_running(&name))?.held > 0;
        if is_held || !pipeline::is_same_wiring(&old, &file) {
            let reached = self.reach(self.load(file, Unfit::Refuse).await?).await?;
            changes::log(&name, &before, &reached.ready.loaded.deployment);
            // A task of its own, so that the pipeline starts again even when nobody waits for it any more.
            let restart = tokio::spawn(Arc::clone(self).restart(name, reached));
            return restart.await.context("restarting a pipeline")?.map(|()| Reloaded::Restarted);
        }
        let choice = self.choice(&self.options.versions, Unfit::Refuse);
        let loader =
            Loader { runtime: &self.runtime, limits: &self.limits, stores, purse: purse.clone(), observer, choice };
        let loaded = loader.load(&file, version).await?;
        // It runs, so those that it has can be used; to ask takes half a second.
        if pipeline::topics(&old) != pipeline::topics(&file) {
            pipeline::check(&*broker, &file).await?;
        }
        changes::log(&name, &before, &loaded.deployment);
        self.handle(&name)?.swap(Arc::clone(&loaded.deployment)).await.context(not_running(&name))?;
        if let Some(purse) = purse {
            purse.allow(file.budgets());
        }
        let (serving, outside) = serving(loaded);
        let watched = self.of(&name, |running| running.watched.clone())?;
        self.note_serving(&file, &serving, &watched).await;
        self.of(&name, |running| {
            running.entrance = running.entrance.take().map(|entrance| relabelled(&entrance, &file));
            (running.file, running.serving, running.outside, running.trial) = (file, serving, outside, None);
        })?;
        Ok(Reloaded::Swapped { version })
    }

    /// Drains a pipeline and starts it again. If that fails, the pipeline has ended with the failure.
    async fn restart(self: Arc<Self>, name: Arc<str>, reached: Reached) -> Result<(), Failure> {
        self.running().restarting = Some(Arc::clone(&name));
        // One that has just ended by itself is started all the same.
        if let Ok(ended) = self.drain(&name) {
            ended.cancelled().await;
        }
        match reached.connect().await {
            Ok(start) => {
                self.run(start).await;
                Ok(())
            }
            Err(failure) => {
                let reported = Failure::Running(anyhow::anyhow!("the pipeline {name} did not start again: {failure}"));
                let others = {
                    let mut running = self.running();
                    running.restarting = None;
                    running.stopped.insert(Arc::clone(&name), failure.to_string());
                    running.count()
                };
                let _ = self.ended.send(Ended { name, result: Err(failure), others });
                Err(reported)
            }
        }
    }

    /// Lets a pipeline end. Returns what is cancelled when it has.
    fn drain(&self, name: &str) -> Result<CancellationToken, Failure> {
        self.of(name, |running| {
            running.handle.drain();
            running.ended.clone()
        })
    }

    /// Checks a file beside those of the running pipelines that count.
    fn check_beside(&self, file: &Pipeline, counts: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let running = self.running();
        let others = running.by_name.iter().filter(|(name, _)| counts(name)).map(|(_, running)| &running.file);
        check_together(&others.chain([file]).collect::<Vec<_>>())
    }

    fn choice<'a>(&'a self, versions: &'a Versions, unfit: Unfit) -> Choice<'a> {
        Choice { versions, unfit, registry: &self.options.registry }
    }

    /// As far as possible without compiling what would run: what is known of each stage.
    pub(super) async fn look(&self, file: &Pipeline) -> Result<Vec<Described>, Failure> {
        let watched = self.options.watchers.of(file);
        let none = Versions::none();
        let choice = self.choice(&none, Unfit::Refuse);
        self.loader(file, &watched, choice).await?.look(file).await
    }

    pub(super) async fn load(&self, file: Pipeline, unfit: Unfit) -> Result<Ready, Failure> {
        self.options.following.check(&file)?;
        let watched = self.options.watchers.of(&file);
        let choice = self.choice(&self.options.versions, unfit);
        let loader = self.loader(&file, &watched, choice).await?;
        let (stores, purse) = (loader.stores.clone(), loader.purse.clone());
        let loaded = loader.load(&file, 1).await?;
        let sampling = self.options.watchers.sampling();
        let following = self.options.following.clone();
        Ok(Ready { file, loaded, stores, purse, watched, sampling, following })
    }

    async fn loader<'h>(
        &'h self,
        file: &Pipeline,
        watched: &Watched,
        choice: Choice<'h>,
    ) -> Result<Loader<'h>, Failure> {
        let observer = Arc::clone(&watched.observer);
        let opening = store::Opening {
            memory: self.options.memory,
            embedded: &self.documents,
            is_recorded: self.options.following.records.is_some(),
            observer: Arc::clone(&observer),
        };
        let stores = opening.open(file).await?;
        let purse = models::purse(file, &stores).await?;
        Ok(Loader { runtime: &self.runtime, limits: &self.limits, stores, purse, observer, choice })
    }

    pub(super) async fn reach(&self, ready: Ready) -> Result<Reached, Failure> {
        let broker = self.brokers.of(&ready.file).await?;
        let address = pipeline::check(&*broker, &ready.file).await?;
        Ok(Reached { ready, broker, address })
    }

    /// Runs a connected pipeline in a task of its own. When it has ended, it is not among the running ones any more.
    pub(super) async fn run(self: &Arc<Self>, start: Start) {
        let Start { reached: Reached { ready, broker, address }, wired } = start;
        let Ready { file, loaded, stores, purse, watched, .. } = ready;
        let name = file.name.shared();
        tracing::info!(
            pipeline = %name,
            brokers = address,
            source = &*file.source.topic,
            sink = &*file.sink.topic,
            dead_letters = &*file.dead_letter.topic,
            "running"
        );
        let (handle, commands) = Handle::new(self.options.shutdown.child_token());
        let host = Arc::clone(self);
        let (serving, outside) = serving(loaded);
        self.note_serving(&file, &serving, &watched).await;
        let (deployment, last) = (Arc::clone(&serving.deployment), serving.deployment.version);
        let ended = CancellationToken::new();
        let (told, watching) = (ended.clone(), watched.clone());
        let following = &self.options.following;
        let entrance = entrance(&file, &stores, following, &wired.inlet);
        let events = Arc::clone(&wired.inlet.sink);
        let over = CancellationToken::new();
        let (trial, watched) = (None, watched);
        let running = Running {
            file,
            handle,
            serving,
            trial,
            last,
            outside,
            broker,
            stores,
            purse,
            watched,
            events,
            entrance,
            ended: told,
        };
        {
            let mut pipelines = self.running();
            pipelines.restarting.take_if(|restarting| *restarting == name);
            pipelines.stopped.remove(&name);
            pipelines.by_name.insert(Arc::clone(&name), running);
        }
        tokio::spawn(async move {
            let flow = tokio::spawn(work(wired, deployment, commands));
            let run = async {
                let result = result(flow.await);
                over.cancel();
                result
            };
            let (result, ()) = tokio::join!(run, watching.totals.report(&name, over.clone()));
            let others = {
                let mut running = host.running();
                running.by_name.remove(&name);
                if let Err(failure) = &result {
                    running.stopped.insert(Arc::clone(&name), failure.to_string());
                }
                running.count()
            };
            watching.taps.close();
            ended.cancel();
            // Nobody may be waiting for the end.
            let _ = host.ended.send(Ended { name, result, others });
        });
    }

    fn handle(&self, name: &str) -> Result<Handle, Failure> {
        self.of(name, |running| running.handle.clone())
    }

    pub(super) fn of<T>(&self, name: &str, take: impl FnOnce(&mut Running) -> T) -> Result<T, Failure> {
        match self.running().by_name.get_mut(name) {
            Some(running) => Ok(take(running)),
            None => Err(Failure::Running(anyhow::anyhow!(not_running(name)))),
        }
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Pipelines> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_running(name: &str) -> String {
    format!("no pipeline {name:?} is running")
}
