//! The arguments of `gristmill models`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::Failure;
use crate::cli::files;
use crate::settings::Pipeline;

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// List the targets of each alias, with their keys, limits and prices
    ///
    /// Asks nobody. A key is read, but never shown.
    ///
    /// Example: gristmill models list pipeline.toml
    #[command(verbatim_doc_comment)]
    List(List),
    /// Ask each target once, and show how it answers
    ///
    /// Each is a real call, which is paid: a short question with an answer in JSON. It shows how long that took, whether the
    /// answer had the form that was asked for, and what the server ignores. Fails if a target does not answer.
    ///
    /// Examples:
    ///   gristmill models test pipeline.toml
    ///   gristmill models test pipeline.toml smart
    #[command(verbatim_doc_comment)]
    Test(Test),
    /// Show tokens and cost by day, stage, alias and target
    ///
    /// Reads the state store of the pipeline on this machine, also while it runs. What other hosts of the pipeline have
    /// spent is in theirs. Days are of UTC.
    ///
    /// Examples:
    ///   gristmill models usage pipeline.toml
    ///   gristmill models usage pipeline.toml --json
    #[command(verbatim_doc_comment)]
    Usage(Usage),
}

/// Whose models.
#[derive(Debug, Args)]
pub struct Of {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE.toml")]
    pub pipeline: PathBuf,
    /// The host file, if models or the store stand there.
    #[arg(long, value_name = "gristmill.toml")]
    pub host: Option<PathBuf>,
}

impl Of {
    /// The pipeline that is meant, with the models of its host.
    pub(super) fn pipeline(&self) -> Result<Pipeline, Failure> {
        let host = files::host(self.host.as_deref())?;
        Ok(Pipeline::load_in(&self.pipeline, &host)?)
    }
}

/// `gristmill models list`.
#[derive(Debug, Args)]
pub struct List {
    /// Whose models.
    #[command(flatten)]
    pub of: Of,
    /// Print one JSON object per line, for each target.
    #[arg(long)]
    pub json: bool,
}

/// `gristmill models test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Whose models.
    #[command(flatten)]
    pub of: Of,
    /// Only the targets of this alias.
    #[arg(value_name = "ALIAS")]
    pub alias: Option<String>,
    /// Print one JSON object per line, for each target.
    #[arg(long)]
    pub json: bool,
}

/// `gristmill models usage`.
#[derive(Debug, Args)]
pub struct Usage {
    /// Whose models.
    #[command(flatten)]
    pub of: Of,
    /// Print one JSON object per line, without totals.
    #[arg(long)]
    pub json: bool,
}
