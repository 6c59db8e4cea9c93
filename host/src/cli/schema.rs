//! `gristmill schema`.

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::app::Failure;
use crate::{console, settings};

/// `gristmill schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Of which kind of file.
    #[arg(value_enum, default_value_t = FileKind::Pipeline)]
    pub file: FileKind,
}

/// A kind of configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileKind {
    /// A pipeline file.
    Pipeline,
    /// A host file, for `run --host`.
    Host,
}

/// Prints the JSON Schema of a kind of file.
pub(super) fn print(args: &Schema) -> Result<(), Failure> {
    let schema = match args.file {
        FileKind::Pipeline => settings::schema(),
        FileKind::Host => settings::host_schema(),
    };
    let schema = serde_json::to_string_pretty(&schema).context("the schema cannot be shown")?;
    console::print(&format!("{schema}\n"))?;
    Ok(())
}
