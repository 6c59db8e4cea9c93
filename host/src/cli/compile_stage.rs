//! `gristmill compile-stage`, which a host calls for each module that it has compiled.

use std::io::Write;

use anyhow::Context;

use crate::app::{self, Failure};

/// Reads what to do from standard input, and prints what came of it.
pub(super) async fn compile_stage() -> Result<(), Failure> {
    let answer = app::compile_for_parent(std::io::stdin()).await?;
    let mut output = std::io::stdout().lock();
    output.write_all(&answer).and_then(|()| output.flush()).context("standard output")?;
    Ok(())
}
