//! `gristmill schema`.

use anyhow::Context as _;

use super::args::{FileKind, Schema};
use crate::app::Failure;
use crate::{console, settings};

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
