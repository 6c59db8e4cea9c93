//! The process that pipelines run in. It owns what they share - engine, limits of models, brokers - and each pipeline by its
//! name: built, started, paused, reloaded and drained without the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use futures_util::future::join_all;
use gristmill_core::flow::{self, Commands, FlowError, Handle, Status};
use gristmill_core::ports::{Broker, Observer, Observers, Store};
use gristmill_llm::Limits;
use gristmill_wasm::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::Brokers;
use super::conflicts::check_together;
use super::failure::Failure;
use super::load::{self, Loaded, Loader};
use super::pipeline::{self, Wired, Wiring};
use super::store::{self, Memory};
use super::supervisor::{self, Ended};
use super::totals::Totals;
use crate::settings::{HostLimits, Pipeline};

/// What a host is built with, beside its pipelines.
pub struct HostOptions {
    /// How long jobs are remembered.
    pub memory: Memory,
    /// Bounds of the process.
    pub limits: HostLimits,
    /// Cancelled when the operator wants everything to stop.
    pub shutdown: CancellationToken,
    /// Who watches every pipeline, beside the host's own totals.
    pub observers: Vec<Arc<dyn Observer>>,
}

/// Pipelines that are loaded and checked, but not connected.
pub struct Built {
    host: Host,
    pipelines: Vec<Ready>,
}

/// A process that runs pipelines.
pub struct Host {
    runtime: Runtime,
    limits: Arc<Limits>,
    brokers: Brokers,
    options: HostOptions,
    /// A lock, because several tasks give the host orders; it is never held while one waits.
    running: Mutex<Pipelines>,
    ended: mpsc::UnboundedSender<Ended>,
}

/// The end of all pipelines of a host, to be waited for.
pub struct Ends(mpsc::UnboundedReceiver<Ended>);

/// The pipelines that run, and how many will run again in a moment.
#[derive(Default)]
struct Pipelines {
    by_name: BTreeMap<Arc<str>, Running>,
    restarting: usize,
}

/// A pipeline that is loaded.
struct Ready {
    file: Pipeline,
    loaded: Loaded,
    store: Option<Arc<dyn Store>>,
    totals: Arc<Totals>,
    observer: Arc<dyn Observer>,
}

/// A pipeline that runs.
struct Running {
    file: Pipeline,
    handle: Handle,
    version: u64,
    broker: Arc<dyn Broker>,
    store: Option<Arc<dyn Store>>,
    observer: Arc<dyn Observer>,
    task: Option<JoinHandle<()>>,
}

/// How a pipeline took on a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// New jobs run the new deployment; those in flight end with the old one.
    Swapped {
        /// Its version.
        version: u64,
    },
    /// It was drained and started again: what changed cannot change while it runs.
    Restarted,
}

impl Host {
    /// Loads pipelines: compiles their stages, builds their models, opens their stores. Connects to nothing.
    ///
    /// # Errors
    /// All faults of all files, each at its place.
    pub async fn build(files: Vec<Pipeline>, options: HostOptions) -> Result<(Built, Ends), Failure> {
        check_together(&files.iter().collect::<Vec<_>>())?;
        let runtime = load::runtime(&files, options.limits, options.shutdown.clone())?;
        let (ended, ends) = mpsc::unbounded_channel();
        let host = Self {
            runtime,
            limits: Arc::default(),
            brokers: Brokers::default(),
            options,
            running: Mutex::default(),
            ended,
        };
        let pipelines = Failure::all(join_all(files.into_iter().map(|file| host.load(file))).await)?;
        Ok((Built { host, pipelines }, Ends(ends)))
    }

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

    /// Drains a pipeline and waits until it has ended. The others continue.
    pub async fn stop(&self, name: &str) -> Result<(), Failure> {
        let task = self.of(name, |running| {
            running.handle.drain();
            running.task.take()
        })?;
        if let Some(task) = task {
            task.await.context("waiting for the end of a pipeline")?;
        }
        Ok(())
    }

    /// Starts another pipeline beside those that run.
    ///
    /// # Errors
    /// Faults of its file, or what it would take from another one; brokers, credentials, topics.
    pub async fn start(self: &Arc<Self>, file: Pipeline) -> Result<(), Failure> {
        {
            let running = self.running();
            check_together(&running.by_name.values().map(|running| &running.file).chain([&file]).collect::<Vec<_>>())?;
        }
        let ready = self.load(file).await?;
        self.connect(ready).await.map(|start| self.run(start))
    }

    /// Takes on a changed file of a pipeline that runs, in place of the one that it runs with. The others continue. A file
    /// that is faulty changes nothing.
    pub async fn reload(self: &Arc<Self>, file: Pipeline) -> Result<Reloaded, Failure> {
        let name = file.name.shared();
        let (old, version, broker, store, observer) = self.of(&name, |running| {
            let shared = (running.store.clone(), Arc::clone(&running.observer));
            (running.file.clone(), running.version + 1, Arc::clone(&running.broker), shared.0, shared.1)
        })?;
        if !pipeline::is_same_wiring(&old, &file) {
            // Loaded before the old one ends, so that a faulty file costs nothing.
            let ready = self.load(file).await?;
            self.running().restarting += 1;
            let restarted = self.restart(&name, ready).await;
            self.running().restarting -= 1;
            return restarted.map(|()| Reloaded::Restarted);
        }
        let loader = Loader { runtime: &self.runtime, limits: &self.limits, store, observer };
        let loaded = loader.load(&file, version).await?;
        pipeline::check(&*broker, &file).await?;
        self.handle(&name)?.swap(loaded.deployment).await.context(not_running(&name))?;
        self.of(&name, |running| {
            running.file = file;
            running.version = version;
        })?;
        Ok(Reloaded::Swapped { version })
    }

    /// Drains a pipeline and starts it again. If that fails, the pipeline has ended with the failure.
    async fn restart(self: &Arc<Self>, name: &Arc<str>, ready: Ready) -> Result<(), Failure> {
        self.stop(name).await?;
        match self.connect(ready).await {
            Ok(start) => {
                self.run(start);
                Ok(())
            }
            Err(failure) => {
                let told = Failure::Running(anyhow::anyhow!("the pipeline {name} did not start again: {failure}"));
                let others = self.running().others() - 1;
                let _ = self.ended.send(Ended { name: Arc::clone(name), result: Err(failure), others });
                Err(told)
            }
        }
    }

    async fn load(&self, file: Pipeline) -> Result<Ready, Failure> {
        let totals = Arc::new(Totals::default());
        let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::<Totals>::clone(&totals)];
        observers.extend(self.options.observers.iter().cloned());
        let observer: Arc<dyn Observer> = Arc::new(Observers::new(observers));
        let store = store::open(&file, self.options.memory, Arc::clone(&observer)).await?;
        let loader = Loader {
            runtime: &self.runtime,
            limits: &self.limits,
            store: store.clone(),
            observer: Arc::clone(&observer),
        };
        let loaded = loader.load(&file, 1).await?;
        Ok(Ready { file, loaded, store, totals, observer })
    }

    async fn connect(&self, ready: Ready) -> Result<Start, Failure> {
        let broker = self.brokers.of(&ready.file)?;
        let address = pipeline::check(&*broker, &ready.file).await?;
        let (store, observer) = (ready.store.clone(), Arc::clone(&ready.observer));
        let wired = Wiring { broker: &*broker, store, observer }.connect(&ready.file).await?;
        Ok(Start { ready, broker, address, wired })
    }

    /// Runs a connected pipeline in a task of its own. When it has ended, it is not among the running ones any more.
    fn run(self: &Arc<Self>, start: Start) {
        let Start { ready, broker, address, wired } = start;
        let Ready { file, loaded, store, totals, observer } = ready;
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
        let (host, version) = (Arc::clone(self), loaded.deployment.version);
        let running = Running { file, handle, version, broker, store, observer, task: None };
        self.running().by_name.insert(Arc::clone(&name), running);
        let task = tokio::spawn({
            let name = Arc::clone(&name);
            async move {
                let over = CancellationToken::new();
                let flow = tokio::spawn(work(wired, loaded, commands));
                let run = async {
                    let ended = flow.await;
                    over.cancel();
                    ended.context("its task was lost").map_err(Failure::Running).flatten()
                };
                let (result, ()) = tokio::join!(run, totals.report(&name, over.clone()));
                let others = {
                    let mut running = host.running();
                    running.by_name.remove(&name);
                    running.others()
                };
                // Nobody may be waiting for the end.
                let _ = host.ended.send(Ended { name, result, others });
            }
        });
        if let Some(running) = self.running().by_name.get_mut(&name) {
            running.task = Some(task);
        }
    }

    fn handle(&self, name: &str) -> Result<Handle, Failure> {
        self.of(name, |running| running.handle.clone())
    }

    fn of<T>(&self, name: &str, take: impl FnOnce(&mut Running) -> T) -> Result<T, Failure> {
        match self.running().by_name.get_mut(name) {
            Some(running) => Ok(take(running)),
            None => Err(Failure::Running(anyhow::anyhow!(not_running(name)))),
        }
    }

    fn running(&self) -> MutexGuard<'_, Pipelines> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipelines {
    /// How many run, or will in a moment.
    fn others(&self) -> usize {
        self.by_name.len() + self.restarting
    }
}

/// A pipeline that is connected.
struct Start {
    ready: Ready,
    broker: Arc<dyn Broker>,
    address: String,
    wired: Wired,
}

impl Built {
    /// The pipelines with what each stage says of itself, in the order of their files.
    pub fn pipelines(&self) -> impl Iterator<Item = (&Pipeline, &Loaded)> {
        self.pipelines.iter().map(|ready| (&ready.file, &ready.loaded))
    }

    /// Connects all pipelines, and runs them when every one is connected.
    ///
    /// # Errors
    /// One clear reason: brokers, credentials, topics.
    pub async fn start(self) -> Result<Arc<Host>, Failure> {
        let host = Arc::new(self.host);
        // One after the other where topics may have to be created: of two that name one, the first says how.
        let mut starts = Vec::new();
        for ready in self.pipelines {
            starts.push(host.connect(ready).await?);
        }
        for start in starts {
            host.run(start);
        }
        Ok(host)
    }
}

impl Ends {
    /// Waits until all pipelines have ended: told to stop, or by themselves. One that stops by itself is logged, again
    /// every minute while others run; those continue.
    ///
    /// # Errors
    /// The worst of their failures, when all have ended.
    pub async fn all(self) -> Result<(), Failure> {
        supervisor::until_all_end(self.0, supervisor::log).await
    }
}

async fn work(mut wired: Wired, loaded: Loaded, commands: Commands) -> Result<(), Failure> {
    let name = Arc::clone(&wired.pipeline.name);
    let ended = flow::run(&mut *wired.source, wired.pipeline, loaded.deployment, commands).await;
    ended.map_err(|error| {
        let policy = matches!(error, FlowError::TooManyDeadLetters { .. });
        let error = anyhow::Error::new(error).context(format!("the pipeline {name} stopped"));
        if policy { Failure::Policy(error) } else { Failure::Running(error) }
    })
}

fn not_running(name: &str) -> String {
    format!("no pipeline {name:?} is running")
}
