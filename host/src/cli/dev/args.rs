//! The arguments of `gristmill dev`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `gristmill dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE.toml")]
    pub pipeline: PathBuf,
    /// The sample events, as files or folders of them. Each line of a .jsonl file is one. Default: the folder samples beside
    /// the pipeline file.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub send: Vec<PathBuf>,
    /// Which models answer.
    #[arg(long, value_enum, default_value_t = Models::Local)]
    pub models: Models,
    /// A host file, whose models the pipeline may use.
    #[arg(long, value_name = "gristmill.toml")]
    pub host: Option<PathBuf>,
    /// Send the samples once, show them and end: with exit code 0 if none of them became a dead letter.
    #[arg(long)]
    pub once: bool,
    /// Let cargo use only what is on this machine.
    #[arg(long)]
    pub offline: bool,
}

/// Which models answer while a pipeline is developed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Models {
    /// Those of the file that are scripted or on this machine; answers made of the item's own words in place of others.
    Local,
    /// Those of the file, whatever they cost.
    File,
}
