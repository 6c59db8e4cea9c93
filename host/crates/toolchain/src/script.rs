//! Stages in Python and JavaScript: a file beside its SDK and the contract, and a build by the tool of its language.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{fs, io};

use super::error::BuildError;
use super::missing::Missing;
use super::options::{BuildOptions, Output};

/// A language that brings an interpreter along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScriptLanguage {
    Python,
    JavaScript,
}

/// The sources of a stage in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) language: ScriptLanguage,
}

impl ScriptLanguage {
    /// The file that the stage is, by which its folder is known.
    fn file(self) -> &'static str {
        match self {
            Self::Python => "stage.py",
            Self::JavaScript => "stage.js",
        }
    }
}

impl Script {
    /// The stage in a folder, if it is one of these.
    pub(crate) fn at(folder: &Path) -> Option<Self> {
        let languages = [ScriptLanguage::Python, ScriptLanguage::JavaScript];
        let language = languages.into_iter().find(|language| folder.join(language.file()).is_file())?;
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let name = folder.file_name()?.to_string_lossy().into_owned();
        Some(Self { name, folder, language })
    }

    /// What the component is made of.
    pub(crate) fn sources(&self) -> Vec<PathBuf> {
        let names: &[&str] = match self.language {
            ScriptLanguage::Python => &["stage.py", "gristmill.py", "wit"],
            ScriptLanguage::JavaScript => &["stage.js", "gristmill.js", "models.js", "build.mjs", "wit"],
        };
        names.iter().map(|name| self.folder.join(name)).collect()
    }

    /// Builds the component. Returns where the tool put it, and what the tool said if that is kept.
    pub(crate) async fn build(&self, options: BuildOptions) -> Result<(PathBuf, String), BuildError> {
        let made = self.folder.join("target/made.wasm");
        fs::create_dir_all(self.folder.join("target"))
            .map_err(|error| BuildError::Io { what: format!("cannot write to {}", self.folder.display()), error })?;
        let (tool, arguments): (PathBuf, &[&str]) = match self.language {
            // That of the stage's own environment, if it has one.
            ScriptLanguage::Python => {
                let own = self.folder.join(".venv/bin/componentize-py");
                let tool = if own.is_file() { own } else { "componentize-py".into() };
                (
                    tool,
                    &[
                        "--wit-path",
                        "wit",
                        "--world",
                        "gristmill:stage/stage",
                        "componentize",
                        "stage",
                        "--output",
                        "target/made.wasm",
                    ],
                )
            }
            ScriptLanguage::JavaScript => {
                ("node".into(), &["build.mjs", "stage.js", "stage", "wit", "target/made.wasm"])
            }
        };
        if self.language == ScriptLanguage::JavaScript && !self.folder.join("node_modules").is_dir() {
            return Err(BuildError::Missing(Missing::NodeModules));
        }
        let mut command = tokio::process::Command::new(&tool);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null()).kill_on_drop(true);
        match options.output {
            // Standard output is for what the command itself prints.
            Output::Shown => command.stdout(Stdio::null()).stderr(Stdio::inherit()),
            Output::Kept => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        };
        let output = match command.spawn() {
            Ok(tool) => tool.wait_with_output().await,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BuildError::Missing(match self.language {
                    ScriptLanguage::Python => Missing::ComponentizePy,
                    ScriptLanguage::JavaScript => Missing::NodeModules,
                }));
            }
            Err(error) => Err(error),
        };
        let output =
            output.map_err(|error| BuildError::Io { what: format!("cannot run {}", tool.display()), error })?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => Ok((made, said)),
            false => Err(BuildError::Failed { name: self.name.clone(), output: said }),
        }
    }
}
