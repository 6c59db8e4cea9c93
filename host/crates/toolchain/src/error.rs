//! Why there is no project, or no component of it.

use std::io;

use super::missing::Missing;

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// No sources are there.
    #[error("{0} has no Cargo.toml, stage.py or stage.js; `gristmill stage new NAME` begins a stage")]
    NoSources(String),
    /// There is more than one stage, or none.
    #[error("{folder} has {found}; name the folder of one")]
    Unclear {
        /// The folder.
        folder: String,
        /// What is there.
        found: String,
    },
    /// The project cannot be read.
    #[error("{folder} cannot be built: {why}")]
    Unreadable {
        /// The folder.
        folder: String,
        /// Why, in cargo's words.
        why: String,
    },
    /// A tool is missing.
    #[error("{0}")]
    Missing(Missing),
}

/// Why a build made nothing. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool is missing.
    #[error("{0}")]
    Missing(Missing),
    /// The sources do not compile; holds what the tools said, if that was kept.
    #[error("{name} does not compile{}{output}", if output.is_empty() { "" } else { ":\n" })]
    Failed {
        /// The stage.
        name: String,
        /// What the tools said.
        output: String,
    },
    /// It compiles, but to no component.
    #[error("{name} compiles to no component: its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`")]
    NoComponent {
        /// The stage.
        name: String,
    },
    /// A file or a process of this machine.
    #[error("{what}: {error}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why it could not be.
        error: io::Error,
    },
}
