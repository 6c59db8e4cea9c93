//! What has changed, and what has to be done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is to be done, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// What is told of it: the names of the files.
    pub(super) files: BTreeSet<String>,
    /// The modules to build.
    pub(super) build: BTreeSet<PathBuf>,
    /// Whether the pipeline is to be loaded anew.
    pub(super) load: Load,
}

/// Whether a pipeline is to be loaded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Load {
    /// Nothing but the samples changed.
    #[default]
    Keep,
    /// Something that it is made of changed.
    Anew,
}

/// The files of a session, each by what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Watched {
    /// The pipeline file, modules that are not built here, scripts and other files that the pipeline names.
    pub(super) parts: BTreeSet<PathBuf>,
    /// Sources, each with its module.
    pub(super) sources: BTreeMap<PathBuf, PathBuf>,
    pub(super) samples: BTreeSet<PathBuf>,
}

impl Watched {
    /// All of them.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        self.parts.iter().chain(self.sources.keys()).chain(&self.samples).cloned().collect()
    }

    /// What a change of these files means.
    pub(super) fn meaning(&self, changed: &BTreeSet<PathBuf>) -> Change {
        let mut change = Change::default();
        for file in changed {
            change.files.insert(name(file));
            if let Some(module) = self.sources.get(file) {
                change.build.insert(module.clone());
            } else if self.parts.contains(file) {
                change.load = Load::Anew;
            }
        }
        change
    }

    /// What it means that these files are watched now: those that came and those that went have changed.
    pub(super) fn grown(&self, now: &Self) -> Change {
        let (old, new) = (self.files(), now.files());
        let came: BTreeSet<PathBuf> = new.difference(&old).cloned().collect();
        let went: BTreeSet<PathBuf> = old.difference(&new).cloned().collect();
        now.meaning(&came).and(self.meaning(&went))
    }
}

impl Change {
    /// Everything that begins with the pipeline file: the first time.
    pub(super) fn all() -> Self {
        Self { load: Load::Anew, ..Self::default() }
    }

    /// Both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.files.extend(other.files);
        self.build.extend(other.build);
        if other.load == Load::Anew {
            self.load = Load::Anew;
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> BTreeSet<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_source_is_built_a_part_is_loaded_and_a_sample_is_sent() {
        let watched = Watched {
            parts: paths(&["p.toml", "answers.toml"]),
            sources: BTreeMap::from([("src/lib.rs".into(), "shout.wasm".into())]),
            samples: paths(&["samples/a.json"]),
        };
        let meaning = |names: &[&str]| watched.meaning(&paths(names));
        assert_eq!(meaning(&["src/lib.rs"]).build, paths(&["shout.wasm"]));
        assert_eq!(meaning(&["src/lib.rs"]).load, Load::Keep, "the build decides");
        assert_eq!(meaning(&["answers.toml"]).load, Load::Anew);
        let sample = meaning(&["samples/a.json"]);
        assert_eq!((sample.load, sample.build.len(), sample.is_empty()), (Load::Keep, 0, false));
        let mut more = watched.clone();
        more.samples = paths(&["samples/b.json"]);
        assert_eq!(watched.grown(&more).files, BTreeSet::from(["a.json".to_owned(), "b.json".to_owned()]));
        assert!(watched.grown(&watched.clone()).is_empty());
    }
}
