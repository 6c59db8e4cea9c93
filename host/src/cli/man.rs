//! `gristmill man`: writes a manual page for each command. For those who package the binary.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::app::Failure;

/// `gristmill man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write to; it is created if it is not there.
    pub folder: PathBuf,
}

/// Writes the pages of a command and its subcommands.
pub(super) fn write(args: &Man, command: clap::Command) -> Result<(), Failure> {
    let folder = &args.folder;
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    Ok(written.with_context(|| format!("cannot write manual pages to {}", folder.display()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let command = clap::Command::new("gristmill").subcommand(clap::Command::new("run"));
        write(&Man { folder: folder.path().join("man") }, command).unwrap();
        for page in ["gristmill.1", "gristmill-run.1"] {
            assert!(folder.path().join("man").join(page).exists(), "{page}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let failure = write(&Man { folder: file.join("man") }, clap::Command::new("g")).unwrap_err().to_string();
        assert!(failure.contains("cannot write manual pages to"), "{failure}");
    }
}
