//! `gristmill schema`.

use anyhow::Context as _;

use super::args::{FileKind, Schema};
use crate::app::Failure;
use crate::settings;

/// Prints the JSON Schema of a kind of file.
#[expect(clippy::print_stdout, reason = "a command speaks to the user")]
pub(super) fn print(args: &Schema) -> Result<(), Failure> {
    let schema = match args.file {
        FileKind::Pipeline => settings::schema(),
        FileKind::Host => settings::host_schema(),
    };
    let schema = serde_json::to_string_pretty(&schema).context("the schema cannot be shown")?;
    println!("{schema}");
    Ok(())
}
