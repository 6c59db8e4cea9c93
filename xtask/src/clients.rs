//! Who visits the HTTP API in tests: a browser, and schemathesis, which asks for everything that the API's documentation
//! names, as it says and otherwise.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::Missing;
use crate::python;
use crate::workspace::{Workspace, given, which};

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

/// A virtual environment with schemathesis.
fn environment(folder: &Path) -> Result<&Path> {
    if !python::is_there() {
        let or = format!(", or name the program of schemathesis in {SCHEMATHESIS}");
        let what = "Python 3 with its module venv, for schemathesis, which tests the API";
        Missing { what, packages: "python3 python3-venv", or: &or }.install()?;
    }
    python::environment(folder, REQUIREMENTS)
        .with_context(|| format!("schemathesis cannot be installed; name its program in {SCHEMATHESIS}"))?;
    Ok(folder)
}
