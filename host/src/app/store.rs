//! Whether and where jobs are remembered beyond this process.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use gristmill_config::Fault;
use gristmill_core::flow::ObservedStore;
use gristmill_core::ports::{Observer, Store};
use gristmill_store::{Settings, Sqlite};

use super::broker::is_embedded;
use super::clock;
use super::failure::Failure;
use super::load::keeps_outcomes;
use crate::settings::Pipeline;

/// How long jobs are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// As the pipeline file says, in its state store.
    Durable,
    /// As long as this process lives, for commands that run nothing or whose broker ends with them.
    ThisProcess,
}

/// The variable that names the folder of state stores.
const STATE: &str = "GRISTMILL_STATE";

/// Opens the state store of the pipeline. `None` when nothing is to be kept, or when its events do not outlive this process.
///
/// # Errors
/// A folder or a file that cannot be used, at its place in the pipeline file.
pub(super) async fn open(
    pipeline: &Pipeline,
    memory: Memory,
    observer: Arc<dyn Observer>,
) -> Result<Option<Arc<dyn Store>>, Failure> {
    if !keeps(pipeline) || memory == Memory::ThisProcess || is_embedded(pipeline) {
        return Ok(None);
    }
    let folder = match &pipeline.store.folder {
        Some(folder) => folder.clone(),
        None => state_folder()?,
    };
    let settings = Settings::of(&pipeline.store, folder, &pipeline.name, Arc::new(clock::now));
    let opened =
        tokio::task::spawn_blocking(move || Sqlite::open(settings)).await.context("opening the state store")?;
    match opened {
        Ok(store) => Ok(Some(Arc::new(ObservedStore::new(store, observer)))),
        Err(error) => {
            let fault = Fault::at(pipeline.place("/store"), "the state store cannot be used").label(error.to_string());
            Err(Failure::Config(fault.into()))
        }
    }
}

/// Whether the pipeline has something to keep: answers that were paid for, or outcomes of stages.
pub(super) fn keeps(pipeline: &Pipeline) -> bool {
    pipeline.stages.iter().any(|stage| stage.grants.llm || keeps_outcomes(stage))
}

/// `GRISTMILL_STATE`, else the user's folder for such things.
fn state_folder() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(STATE)
        .or_else(|| variable("XDG_STATE_HOME").map(|folder| folder.join("gristmill")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/gristmill")))
        .ok_or_else(|| {
            Failure::Setup(anyhow::anyhow!("no folder for the state store; set {STATE} to one, or store.folder"))
        })
}
