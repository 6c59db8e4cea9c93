//! Why a command did not do what it was asked.

use gristmill_config::ConfigError;

/// Why a command did not do what it was asked. The variants are the exit codes.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong: what the operator must change, and where.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// Something else is wrong with what the operator set up, without a place in a file.
    #[error("{0:#}")]
    Setup(anyhow::Error),
    /// A pipeline stopped by its own policy: too many of its jobs fail.
    #[error("{0:#}")]
    Policy(anyhow::Error),
    /// It failed while running.
    #[error("{0:#}")]
    Running(#[from] anyhow::Error),
}

impl Failure {
    /// How bad it is: a pipeline that protects itself is better than one that cannot run.
    pub(super) fn severity(&self) -> u8 {
        match self {
            Self::Policy(_) => 0,
            Self::Config(_) | Self::Setup(_) => 1,
            Self::Running(_) => 2,
        }
    }

    /// The same in one line for each fault, without its place in a file.
    #[must_use]
    pub fn lines(&self) -> String {
        match self {
            Self::Config(error) => {
                let lines: Vec<String> = error.faults().iter().map(gristmill_config::Fault::line).collect();
                lines.join("\n")
            }
            Self::Setup(_) | Self::Policy(_) | Self::Running(_) => self.to_string(),
        }
    }

    /// What several results came to.
    ///
    /// # Errors
    /// The failures as one: faults of files together, of anything else the first.
    pub fn all<T>(results: Vec<Result<T, Self>>) -> Result<Vec<T>, Self> {
        let (mut values, mut failed) = (Vec::new(), None);
        for result in results {
            match (result, failed.take()) {
                (Ok(value), before) => {
                    values.push(value);
                    failed = before;
                }
                (Err(Self::Config(more)), Some(Self::Config(faults))) => {
                    failed = Some(Self::Config(ConfigError::and(faults, more)));
                }
                (Err(failure), before) => failed = Some(before.unwrap_or(failure)),
            }
        }
        failed.map_or(Ok(values), Err)
    }
}
