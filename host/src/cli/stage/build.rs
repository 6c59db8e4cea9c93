//! `gristmill stage build`.

use gristmill_toolchain::Project;
use gristmill_toolchain::cases::{self, Case};
use serde_json::json;

use super::args::Build;
use super::portrait::{Portrait, Sample, Schema, shown};
use super::subject::{build as build_in, found};
use super::test::item;
use crate::app::{Failure, SandboxStage};
use crate::console::print;

/// Builds the stage and shows what became of it, with the first of its cases.
pub(super) async fn build(args: &Build) -> Result<(), Failure> {
    let (project, built) = build_in(args.folder.clone(), args.access.network()).await?;
    let found = found(project.name(), built.component.clone()).await?;
    let case = first_case(&project);
    let stage = SandboxStage {
        name: found.name.clone(),
        shown: found.shown.clone(),
        module: found.module.clone(),
        config: case.as_ref().map_or_else(|| json!({}), |case| case.terms.config_json()),
        routed: case.as_ref().map(|case| case.terms.routed.clone()).unwrap_or_default(),
        answers: case.as_ref().and_then(|case| case.answers.clone()),
    };
    let sample = case.as_ref().map(|case| Sample { name: format!("cases/{}", case.name), item: item(case) });
    let portrait = Portrait::of(&found, stage, sample).await?;
    if args.json {
        print(&format!("{}\n", portrait.json()))?;
    } else {
        print(&format!("{}  built in    {}\n", portrait.text(Schema::Hidden), shown(built.took)))?;
    }
    Ok(())
}

/// One that can be read: what is wrong with cases is for `test` to say.
fn first_case(project: &Project) -> Option<Case> {
    cases::read_all(project.folder(), None).ok()?.into_iter().next()
}
