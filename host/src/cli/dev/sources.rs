//! The stages of a pipeline that are built from sources on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gristmill_toolchain::{BuildError, BuildOptions, Built, Project, ProjectError};

use crate::settings::{Module, Pipeline};

/// The most source files of one stage that are watched.
const MOST_FILES: usize = 10_000;

/// The projects of modules, each by the path of its module.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// `None` for a module without sources on this machine.
    projects: BTreeMap<PathBuf, Option<Project>>,
}

impl Sources {
    /// Finds the projects of modules that are new in the file, and forgets those that are not there any more. Returns the
    /// modules with sources that are new.
    ///
    /// # Errors
    /// Sources that cannot be read as a project. They are looked for again the next time.
    pub(super) async fn find(&mut self, pipeline: &Pipeline) -> Result<Vec<PathBuf>, ProjectError> {
        let named: BTreeSet<PathBuf> = pipeline
            .stages
            .iter()
            .filter_map(|stage| match &stage.module {
                Module::File(path) => Some(path.clone()),
                Module::Builtin(_) | Module::Registry(_) => None,
            })
            .collect();
        self.projects.retain(|module, _| named.contains(module));
        let mut new = Vec::new();
        for module in named {
            if self.projects.contains_key(&module) {
                continue;
            }
            let path = module.clone();
            let found = tokio::task::spawn_blocking(move || Project::of(&path)).await;
            let project = found.unwrap_or(Ok(None))?;
            if project.is_some() {
                new.push(module.clone());
            }
            self.projects.insert(module, project);
        }
        Ok(new)
    }

    /// Whether a module is built here, so that nobody else's change of it counts.
    pub(super) fn builds(&self, module: &Path) -> bool {
        self.projects.get(module).is_some_and(Option::is_some)
    }

    /// The source files as they are now, each with the module that it is a part of.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, PathBuf> {
        let mut files = BTreeMap::new();
        for (module, project) in &self.projects {
            let Some(project) = project else { continue };
            let mut found = BTreeSet::new();
            for source in project.sources() {
                list(&source, &mut found);
            }
            files.extend(found.into_iter().map(|file| (file, module.clone())));
        }
        files
    }

    /// Builds a module. If this is dropped, the build is ended, and the module stays as it was.
    ///
    /// # Errors
    /// What the tools said; the module stays as it was.
    pub(super) async fn build(&self, module: &Path, options: BuildOptions) -> Option<Result<Built, BuildError>> {
        match self.projects.get(module) {
            Some(Some(project)) => Some(project.build(options).await),
            Some(None) | None => None,
        }
    }
}

/// The files at a path and below it, without hidden ones and without what is built.
fn list(path: &Path, found: &mut BTreeSet<PathBuf>) {
    if found.len() >= MOST_FILES {
        return;
    }
    if path.is_file() {
        found.insert(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") && name != "target" {
            list(&entry.path(), found);
        }
    }
}
