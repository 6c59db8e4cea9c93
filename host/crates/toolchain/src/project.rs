//! A stage's sources: which they are, where what is built of them goes, and the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{BuildError, ProjectError};
use super::options::BuildOptions;
use super::place;
use super::rust::{self, Crate};
use super::script::Script;

/// Where the component of a project is put, below its root.
const COMPONENTS: &str = "target/stages";

/// The sources of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    sources: Sources,
    component: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sources {
    Rust(Crate),
    Script(Script),
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
    /// The project in a folder: a crate, a workspace with one stage, or a stage in Python or JavaScript. Runs cargo; blocks for about 0.1 s.
    ///
    /// # Errors
    /// No project is there, or not one alone, or it cannot be read.
    pub fn at(folder: &Path) -> Result<Self, ProjectError> {
        let sources = match Script::at(folder) {
            Some(script) => Sources::Script(script),
            None => Sources::Rust(rust::crate_at(folder)?),
        };
        let mut project = Self { sources, component: PathBuf::new() };
        project.component = project.root().join(COMPONENTS).join(format!("{}.wasm", project.name()));
        Ok(project)
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
        for folder in module.ancestors().skip(1) {
            if let Some(script) = Script::at(folder).filter(|script| script.name == name) {
                return Ok(Some(Self { sources: Sources::Script(script), component: module.to_owned() }));
            }
            if !folder.join("Cargo.toml").is_file() {
                continue;
            }
            if let Some(krate) = rust::crate_called(folder, &name)? {
                return Ok(Some(Self { sources: Sources::Rust(krate), component: module.to_owned() }));
            }
        }
        Ok(None)
    }

    /// The stage's name: the crate's, or that of its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.sources {
            Sources::Rust(krate) => &krate.name,
            Sources::Script(script) => &script.name,
        }
    }

    /// The stage's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match &self.sources {
            Sources::Rust(krate) => &krate.folder,
            Sources::Script(script) => &script.folder,
        }
    }

    /// The folder of the workspace, which is the stage's own if it stands alone.
    #[must_use]
    pub fn root(&self) -> &Path {
        match &self.sources {
            Sources::Rust(krate) => &krate.workspace,
            Sources::Script(script) => &script.folder,
        }
    }

    /// Where a build puts the component.
    #[must_use]
    pub fn component(&self) -> &Path {
        &self.component
    }

    /// The files and folders that the component is made of, as far as they are the project's own. Those that are there.
    #[must_use]
    pub fn sources(&self) -> Vec<PathBuf> {
        let Crate { folder, workspace, .. } = match &self.sources {
            Sources::Rust(krate) => krate,
            Sources::Script(script) => return script.sources(),
        };
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
        let (made, output) = match &self.sources {
            Sources::Rust(krate) => rust::build(krate, options).await?,
            Sources::Script(script) => script.build(options).await?,
        };
        let io = |what: &str, path: &Path| {
            let what = format!("{what} {}", path.display());
            |error| BuildError::Io { what, error }
        };
        let bytes = fs::read(&made).map_err(io("cannot read", &made))?;
        place::put(&self.component, &bytes).map_err(io("cannot write", &self.component))?;
        Ok(Built { component: self.component.clone(), took: begun.elapsed(), output })
    }
}
