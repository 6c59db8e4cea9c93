//! `gristmill schema`.

use anyhow::Context as _;

use crate::app::Failure;
use crate::settings;

/// Prints the JSON Schema of a pipeline file.
#[expect(clippy::print_stdout, reason = "a command speaks to the user")]
pub(super) fn print() -> Result<(), Failure> {
    let schema = serde_json::to_string_pretty(&settings::schema()).context("the schema cannot be shown")?;
    println!("{schema}");
    Ok(())
}
