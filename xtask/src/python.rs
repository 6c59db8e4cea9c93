//! Programs from Python's registry, in virtual environments.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::workspace;

/// Whether virtual environments can be made. Debian has the part that does it in a package of its own.
pub(crate) fn is_there() -> bool {
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    asked.is_ok_and(|output| output.status.success())
}

/// Makes a virtual environment with what is required, unless the folder has it.
pub(crate) fn environment(folder: &Path, requirements: &str) -> Result<()> {
    // Written last: an installation that was interrupted is done again.
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == requirements) {
        return Ok(());
    }
    eprintln!("installing packages of Python into {}", folder.display());
    workspace::quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements)?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&list);
    workspace::quietly(&mut pip)?;
    Ok(fs::rename(&list, &installed)?)
}
