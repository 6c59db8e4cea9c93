//! From pipeline files to a host that runs them all: loaded first, then reached, then connected.

use std::sync::{Arc, Mutex};

use gristmill_wasm::Described;
use tokio::sync::mpsc;

use super::broker::Brokers;
use super::conflicts::check_together;
use super::failure::Failure;
use super::host::{Host, HostOptions};
use super::load::{self, Loaded};
use super::stages::Unfit;
use super::steps::Ready;
use super::store;
use super::supervisor::{self, Ended};
use crate::settings::Pipeline;

/// Pipelines that are loaded and checked, but not connected.
pub struct Built {
    host: Host,
    pipelines: Vec<Ready>,
}

/// The end of all pipelines of a host, to be waited for.
pub struct Ends(mpsc::UnboundedReceiver<Ended>);

impl Host {
    /// Loads pipelines: compiles their stages, builds their models, opens their stores. Connects to nothing.
    ///
    /// # Errors
    /// All faults of all files, each at its place.
    pub async fn build(files: Vec<Pipeline>, options: HostOptions) -> Result<(Built, Ends), Failure> {
        let (host, ends) = Self::new(&files, options)?;
        // One after the other: each holds modules in memory while they are compiled.
        let mut loaded = Vec::new();
        for file in files {
            loaded.push(host.load(file, Unfit::FallBack).await);
        }
        let pipelines = Failure::all(loaded)?;
        Ok((Built { host, pipelines }, ends))
    }

    /// Finds what [`build`](Self::build) would find wrong with these pipelines, in a small part of the time: stages are
    /// compiled only to be looked at. Returns what is known of the stages of each.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub async fn check(files: &[Pipeline], options: HostOptions) -> Result<Vec<Vec<Described>>, Failure> {
        let (host, _) = Self::new(files, options)?;
        let mut looked = Vec::new();
        for file in files {
            looked.push(host.look(file).await);
        }
        Failure::all(looked)
    }

    fn new(files: &[Pipeline], options: HostOptions) -> Result<(Self, Ends), Failure> {
        check_together(&files.iter().collect::<Vec<_>>())?;
        let runtime = load::runtime(files, options.limits, options.compiler.clone(), options.shutdown.clone())?;
        let (ended, ends) = mpsc::unbounded_channel();
        let host = Self {
            runtime,
            limits: Arc::default(),
            brokers: Brokers::default(),
            documents: store::Embedded::default(),
            options,
            running: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            ended,
        };
        Ok((host, Ends(ends)))
    }
}

impl Built {
    /// The pipelines with what each stage says of itself, in the order of their files.
    pub fn pipelines(&self) -> impl Iterator<Item = (&Pipeline, &Loaded)> {
        self.pipelines.iter().map(|ready| (&ready.file, &ready.loaded))
    }

    /// Connects all pipelines, and runs them when every one is connected. `None` if the process is asked to stop before.
    ///
    /// # Errors
    /// One clear reason: brokers, credentials, topics.
    pub async fn start(self) -> Result<Option<Arc<Host>>, Failure> {
        let host = Arc::new(self.host);
        let shutdown = host.options.shutdown.clone();
        // One after the other where topics may have to be created: of two that name one, the first says how.
        let mut reached = Vec::new();
        for ready in self.pipelines {
            let Some(one) = shutdown.run_until_cancelled(host.reach(ready)).await else { return Ok(None) };
            reached.push(one?);
        }
        let mut starts = Vec::new();
        for one in reached {
            match shutdown.run_until_cancelled(one.connect()).await {
                Some(Ok(start)) => starts.push(start),
                failed => {
                    // Those that have joined their groups leave them, or the groups would wait for them.
                    for mut start in starts {
                        let _ = start.wired.source.close().await;
                    }
                    return failed.transpose().map(|_| None);
                }
            }
        }
        for start in starts {
            host.run(start).await;
        }
        Ok(Some(host))
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
