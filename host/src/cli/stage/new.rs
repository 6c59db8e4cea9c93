//! `gristmill stage new`.

use std::env;
use std::path::Path;

use anyhow::Context;
use gristmill_toolchain::{missing, new_stage};

use super::args::{LanguageChoice, New};
use crate::app::Failure;
use crate::console::{note, print};

/// Begins a stage in the folder of the command, and says what comes next.
pub(super) fn new(args: &New) -> Result<(), Failure> {
    let here = env::current_dir().context("there is no present folder")?;
    let written = new_stage(&here, &args.name, args.lang.into()).map_err(|error| Failure::Setup(error.into()))?;
    let folder = written.folder.strip_prefix(&here).unwrap_or(&written.folder);
    let before = match args.lang {
        LanguageChoice::Rust => "",
        LanguageChoice::Python | LanguageChoice::Js => "  install what its README.md says\n",
    };
    let text = format!("{}: the stage {}\n\nNext:\n{before}  gristmill stage test {0}\n", shown(folder), args.name);
    print(&text)?;
    if args.lang == LanguageChoice::Rust {
        lacking();
    }
    Ok(())
}

fn shown(folder: &Path) -> String {
    folder.display().to_string()
}

/// Says what is missing to build stages here. That is no failure yet.
pub(crate) fn lacking() {
    if let Some(missing) = missing() {
        note(&format!("note: {missing}"));
    }
}
