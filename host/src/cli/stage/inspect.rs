//! `gristmill stage inspect`.

use super::args::Inspect;
use super::config;
use super::portrait::{Portrait, Schema};
use crate::app::{Failure, SandboxStage};
use crate::console::print;

/// Shows what a stage is.
pub(super) async fn inspect(args: &Inspect) -> Result<(), Failure> {
    let config = config::of_lines(&args.config)?;
    let found = args.stage.find(args.access.network()).await?;
    let stage = SandboxStage {
        name: found.name.clone(),
        shown: found.shown.clone(),
        module: found.module.clone(),
        config,
        routed: Default::default(),
        answers: None,
    };
    let portrait = Portrait::of(&found, stage, None).await?;
    match args.json {
        true => print(&format!("{}\n", portrait.json()))?,
        false => print(&portrait.text(Schema::Shown))?,
    };
    Ok(())
}
