//! Which stage a command is about: a folder of sources, a component or a standard stage.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use gristmill_toolchain::{BuildOptions, Built, Network, Project};
use gristmill_wasm::{Grants, Module};

use crate::app::{BUILTIN, Builtin, Failure};
use crate::console::note;
use gristmill_toolchain::{Vendored, vendored};

/// Which stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One in the binary, by name.
    Builtin(String),
    /// Sources, or a component.
    Path(PathBuf),
}

impl FromStr for Subject {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix("builtin:") {
            Some(name) => Self::Builtin(name.to_owned()),
            None => Self::Path(text.into()),
        })
    }
}

/// A stage whose module is there.
pub(super) struct Found {
    pub(super) name: String,
    /// What the module is called in messages.
    pub(super) shown: String,
    pub(super) module: Module,
}

impl Subject {
    /// Reads the module; that of sources is built first.
    pub(super) async fn find(&self, network: Network) -> Result<Found, Failure> {
        match self {
            Self::Builtin(name) => {
                let builtin = builtin(name)?;
                // The one that asks models has all that the other has.
                let grants = Grants { llm: true, ..Grants::default() };
                let module = Module::new(builtin.component(grants));
                Ok(Found { name: name.clone(), shown: format!("builtin:{name}"), module })
            }
            Self::Path(path) if path.is_dir() => {
                let (project, _) = build(path.clone(), network).await?;
                found(project.name(), project.component().to_owned()).await
            }
            Self::Path(path) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found(&name, path.clone()).await
            }
        }
    }
}

/// A standard stage.
pub(super) fn builtin(name: &str) -> Result<&'static Builtin, Failure> {
    let known: Vec<&str> = BUILTIN.iter().map(|builtin| builtin.name).collect();
    let unknown = || anyhow::anyhow!("there is no builtin stage {name:?}; the known ones are {}", known.join(", "));
    BUILTIN.iter().find(|builtin| builtin.name == name).ok_or_else(unknown).map_err(Failure::Setup)
}

/// Builds the stage in a folder, whose tools say on standard error what they do.
pub(super) async fn build(folder: PathBuf, network: Network) -> Result<(Project, Built), Failure> {
    let project =
        tokio::task::spawn_blocking(move || Project::at(&folder)).await.context("the project was not read")?;
    let project = project.map_err(|error| Failure::Setup(error.into()))?;
    if let Some(Vendored::Other(theirs, ours)) = vendored(project.root()) {
        note(&format!(
            "note: the SDK in this project is {theirs}, this version brings {ours}: `gristmill stage sdk` updates it"
        ));
    }
    let options = BuildOptions { network, ..BuildOptions::default() };
    let built = project.build(options).await.map_err(|error| Failure::Running(error.into()))?;
    Ok((project, built))
}

/// The component in a file.
pub(super) async fn found(name: &str, path: PathBuf) -> Result<Found, Failure> {
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || Module::read(&path)).await.context("the component was not read")?;
    let module = read.map_err(|reason| Failure::Setup(anyhow::anyhow!("{shown} {reason}")))?;
    Ok(Found { name: name.to_owned(), shown, module })
}
