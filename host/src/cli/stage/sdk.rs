//! `gristmill stage sdk`.

use anyhow::Context;
use gristmill_toolchain::{Vendored, vendored, write_sdk};

use super::args::Sdk;
use crate::app::Failure;
use crate::console::print;

/// Puts the SDK of this binary into a project that carries one.
pub(super) fn sdk(args: &Sdk) -> Result<(), Failure> {
    let folder = &args.folder;
    match vendored(folder) {
        None => Err(Failure::Setup(anyhow::anyhow!(
            "{} carries no SDK in vendor/gristmill; name the folder of the project",
            folder.display()
        ))),
        Some(Vendored::Same) => {
            print("the SDK is that of this version already\n")?;
            Ok(())
        }
        Some(Vendored::Other(theirs, ours)) => {
            let written = write_sdk(folder).with_context(|| format!("the SDK in {} is not whole", folder.display()))?;
            print(&format!("{}: {ours}, in place of {theirs}\n", written.display()))?;
            Ok(())
        }
    }
}
