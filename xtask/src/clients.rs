//! Who visits the HTTP API in tests: a browser, and schemathesis, which asks for everything that the API's documentation
//! names, as it says and otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::Missing;
use crate::workspace::{self, Workspace, given, which};

const BROWSER: &str = "GRISTMILL_TEST_BROWSER";
const SCHEMATHESIS: &str = "GRISTMILL_TEST_SCHEMATHESIS";
/// Schemathesis and all that it needs, each in one version: others would send other requests.
const REQUIREMENTS: &str = include_str!("clients/requirements.txt");

/// The variables by which tests find these programs, and the programs: those that the caller names, else those in PATH.
/// Installs what is missing: packages of Debian with apt-get if run as root, schemathesis once into the target folder.
pub(crate) fn install(workspace: &Workspace) -> Result<[(&'static str, PathBuf); 2]> {
    let schemathesis = match given(SCHEMATHESIS).map(PathBuf::from).or_else(|| which("schemathesis")) {
        Some(program) => program,
        None => environment(&workspace.target.join("schemathesis"))?.join("bin/schemathesis"),
    };
    Ok([(BROWSER, browser()?), (SCHEMATHESIS, schemathesis)])
}

fn browser() -> Result<PathBuf> {
    let name = "chromium";
    if let Some(program) = given(BROWSER).map(PathBuf::from).or_else(|| which(name)) {
        return Ok(program);
    }
    let or = format!(", or name a browser that knows Chromium's options in {BROWSER}");
    Missing { what: "chromium, in which tests open a page", packages: name, or: &or }.install()?;
    which(name).context("apt-get has installed chromium, but it is not in PATH")
}

/// A virtual environment with what is required.
fn environment(folder: &Path) -> Result<&Path> {
    // Written last: an installation that was interrupted is done again.
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(folder);
    }
    // Debian has the part that makes environments in a package of its own.
    let python = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        let or = format!(", or name the program of schemathesis in {SCHEMATHESIS}");
        let what = "Python 3 with its module venv, for schemathesis, which tests the API";
        Missing { what, packages: "python3 python3-venv", or: &or }.install()?;
    }
    eprintln!("schemathesis is not in PATH: installing it into {}", folder.display());
    workspace::quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements);
    workspace::quietly(&mut pip)
        .with_context(|| format!("schemathesis cannot be installed; name its program in {SCHEMATHESIS}"))?;
    fs::rename(&requirements, &installed)?;
    Ok(folder)
}
