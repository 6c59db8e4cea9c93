//! `gristmill stage export`.

use std::fs;

use anyhow::Context;
use gristmill_wasm::Grants;

use super::args::Export;
use super::subject::builtin;
use crate::app::Failure;
use crate::console::print;

/// Writes the component of a standard stage.
pub(super) fn export(args: &Export) -> Result<(), Failure> {
    let name = args.stage.strip_prefix("builtin:").unwrap_or(&args.stage);
    let component = builtin(name)?.component(Grants { llm: args.llm, ..Grants::default() });
    let to = args.to.display();
    fs::write(&args.to, component).with_context(|| format!("cannot write {to}"))?;
    print(&format!("{to}: builtin:{name}, {} bytes\n", component.len()))?;
    Ok(())
}
