//! A stage's sources: which they are, where what is built of them goes, and the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{BuildError, ProjectError};
use super::options::BuildOptions;
use super::place;
use super::rust::{self, Crate};

/// Where the component of a project is put, below its root.
const COMPONENTS: &str = "target/stages";

/// The sources of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    krate: Crate,
    component: PathBuf,
}

/// What a build made.
#[derive(Debug, Clone)]
pub struct Built {
    /// The component.
    pub component: PathBuf,
    /// How long the build took.
    pub took: Duration,
    /// What the tools said, if that was kept.
    pub output: String,
}

impl Project {
    /// The project in a folder: a crate, or a workspace with one stage. Runs cargo; blocks for about 0.1 s.
    ///
    /// # Errors
    /// No project is there, or not one alone, or it cannot be read.
    pub fn at(folder: &Path) -> Result<Self, ProjectError> {
        let krate = rust::crate_at(folder)?;
        let component = krate.workspace.join(COMPONENTS).join(&krate.name).with_extension("wasm");
        Ok(Self { krate, component })
    }

    /// The project that a module was built of, by its path: the nearest workspace above that has a stage of that name.
    /// `None` if there is none. Runs cargo; blocks for about 0.1 s.
    ///
    /// # Errors
    /// A project is there that cannot be read.
    pub fn of(module: &Path) -> Result<Option<Self>, ProjectError> {
        let Some(name) = module.file_stem().map(|stem| stem.to_string_lossy().replace('_', "-")) else {
            return Ok(None);
        };
        let above = module.ancestors().skip(1).filter(|folder| folder.join("Cargo.toml").is_file());
        for folder in above {
            if let Some(krate) = rust::crate_called(folder, &name)? {
                return Ok(Some(Self { krate, component: module.to_owned() }));
            }
        }
        Ok(None)
    }

    /// The stage's name, which is the crate's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.krate.name
    }

    /// The stage's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.krate.folder
    }

    /// The folder of the workspace, which is the stage's own if it stands alone.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.krate.workspace
    }

    /// Where a build puts the component.
    #[must_use]
    pub fn component(&self) -> &Path {
        &self.component
    }

    /// The files and folders that the component is made of, as far as they are the project's own. Those that are there.
    #[must_use]
    pub fn sources(&self) -> Vec<PathBuf> {
        let Crate { folder, workspace, .. } = &self.krate;
        let of = |folder: &Path, names: &[&str]| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
        let mut sources = of(folder, &["Cargo.toml", "build.rs", "src", ".cargo/config.toml"]);
        if workspace != folder {
            sources.extend(of(workspace, &["Cargo.toml", ".cargo/config.toml"]));
        }
        sources.retain(|path| path.exists());
        sources
    }

    /// Builds the component and puts it in place by one rename, unless its bytes are the same. If this is dropped, the build
    /// is ended, and what was in place stays.
    ///
    /// # Errors
    /// It cannot be built; what was in place stays.
    pub async fn build(&self, options: BuildOptions) -> Result<Built, BuildError> {
        let begun = Instant::now();
        let (made, output) = rust::build(&self.krate, options).await?;
        let io = |what: &str, path: &Path| {
            let what = format!("{what} {}", path.display());
            |error| BuildError::Io { what, error }
        };
        let bytes = fs::read(&made).map_err(io("cannot read", &made))?;
        place::put(&self.component, &bytes).map_err(io("cannot write", &self.component))?;
        Ok(Built { component: self.component.clone(), took: begun.elapsed(), output })
    }
}
