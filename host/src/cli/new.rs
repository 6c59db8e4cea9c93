//! `gristmill new`.

use std::env;

use anyhow::Context;
use clap::Args;
use gristmill_toolchain::{Name, new_project};

use super::stage::lacking;
use crate::app::Failure;
use crate::console::print;

/// `gristmill new`.
#[derive(Debug, Args)]
pub struct New {
    /// The name of the project, of its pipeline and of its stage: 1 to 40 of a-z, 0-9 and "-".
    pub name: Name,
}

/// Begins a project in the folder of the command, and says what comes next.
pub(super) fn new(args: &New) -> Result<(), Failure> {
    let here = env::current_dir().context("there is no present folder")?;
    new_project(&here, &args.name).map_err(|error| Failure::Setup(error.into()))?;
    let name = &args.name;
    print(&format!(
        "{name}: a pipeline with a stage of its own\n\nNext:\n  cd {name}\n  gristmill stage build stages/{name}\n  \
         gristmill run pipeline.toml\n"
    ))?;
    lacking();
    Ok(())
}
