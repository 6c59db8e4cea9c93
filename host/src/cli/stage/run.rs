//! `gristmill stage run`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gristmill_core::model::{Attribute, Header, Outcome};
use gristmill_core::settings::ByteSize;
use gristmill_toolchain::cases::Expected;

use super::super::payload::{media_type, read};
use super::args::Run;
use super::config;
use super::portrait::{amount, shown};
use crate::app::{Failure, Sandbox, SandboxItem, SandboxStage};
use crate::console::{note, print};

/// Runs one item, prints what came out, and notes what it cost.
pub(super) async fn run(args: &Run) -> Result<(), Failure> {
    let config = config::of_lines(&args.config)?;
    let payload = read(&args.item)?;
    let found = args.stage.find(args.access.network()).await?;
    let sandbox = Sandbox::new()?;
    let stage = SandboxStage {
        name: found.name,
        shown: found.shown,
        module: found.module,
        config,
        routed: args.routed.iter().cloned().collect(),
        answers: args.answers.clone().or_else(|| beside(&args.item)),
    };
    let loaded = sandbox.load(stage).await?;
    let ran = loaded.run(item(args, payload)).await;
    let Some(came) = Expected::of(&ran.result) else {
        return Err(Failure::Running(anyhow::anyhow!("{}", words(ran.result))));
    };
    print(&came.render())?;
    let memory = ByteSize::bytes(loaded.stage.largest_instance() as u64);
    let asked = match ran.asked {
        0 => String::new(),
        times => format!(", {times} requests to models"),
    };
    note(&format!("{}, {} of memory{asked}", shown(ran.took), amount(memory)));
    match ran.result {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::Running(anyhow::anyhow!("the stage failed: {error}"))),
    }
}

fn words(result: Result<Outcome, gristmill_core::ports::StageError>) -> String {
    match result {
        Err(gristmill_core::ports::StageError::Host(error)) => format!("{error:#}"),
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    }
}

fn item(args: &Run, payload: Bytes) -> SandboxItem {
    let value = |header: &Header| header.value.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let attribute = |header: &Header| Attribute { name: header.name.to_string(), value: value(header) };
    SandboxItem {
        payload,
        content_type: args.content_type.clone().or_else(|| media_type(&args.item).map(str::to_owned)),
        key: args.key.as_ref().map(|key| Bytes::copy_from_slice(key.as_bytes())),
        headers: args.headers.clone(),
        attributes: args.attributes.iter().map(attribute).collect(),
        attempt: 1,
    }
}

/// The script beside an item, or, of a case, the one for all cases.
fn beside(item: &Path) -> Option<PathBuf> {
    let folder = item.parent()?;
    [Some(folder), folder.parent()].into_iter().flatten().map(|at| at.join("answers.toml")).find(|path| path.is_file())
}
