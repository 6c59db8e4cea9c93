//! Checks the prerequisites of a build and installs the one that can be installed automatically.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{self, Workspace, output, which};

/// The target of the stages: its output is a component.
pub(crate) const WASM: &str = "wasm32-wasip2";

/// Checks the build tools and adds the WebAssembly target if it is missing.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    build_tools(|tool| which(tool).is_some())?;
    wasm_target(workspace)
}

/// librdkafka and OpenSSL are compiled from source; without these tools they fail late and with obscure errors.
fn build_tools(present: impl Fn(&str) -> bool) -> Result<()> {
    let mut missing = Vec::new();
    for tool in ["cc", "c++", "make", "perl"] {
        if !present(tool) {
            missing.push(tool);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "not found: {} (librdkafka and OpenSSL are compiled from source); Debian and Ubuntu: \
         `apt-get install build-essential perl`, Fedora: `dnf install gcc gcc-c++ make perl-core`",
        missing.join(", ")
    )
}

/// The rustc to compile the stages with, if not the one that compiles everything else.
pub(crate) fn own_rustc() -> Option<PathBuf> {
    env::var_os("GRISTMILL_WASM_RUSTC").map(PathBuf::from)
}

/// Makes sure that stages can be compiled. `rust-toolchain.toml` names the target, but rustup installs it only together
/// with the toolchain, not if the toolchain is already installed without it.
pub(crate) fn wasm_target(workspace: &Workspace) -> Result<()> {
    if let Some(rustc) = own_rustc() {
        let named = || format!("GRISTMILL_WASM_RUSTC names {}", rustc.display());
        if has_wasm(workspace, &rustc).with_context(named)? {
            return Ok(());
        }
        bail!("{}, which has no standard library for {WASM}", named());
    }

    let rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    if has_wasm(workspace, &rustc)? {
        return Ok(());
    }
    if which("rustup").is_some() {
        workspace::run(Command::new("rustup").current_dir(&workspace.root).args(["target", "add", WASM]))?;
        if has_wasm(workspace, &rustc)? {
            return Ok(());
        }
    }
    bail!(
        "{} has no standard library for {WASM} and rustup cannot add it: install the standard library of exactly this \
         compiler, or set GRISTMILL_WASM_RUSTC to a rustc that has it",
        rustc.display()
    )
}

fn has_wasm(workspace: &Workspace, rustc: &Path) -> Result<bool> {
    let mut query = Command::new(rustc);
    query.current_dir(&workspace.root).args(["--print", "target-libdir", "--target", WASM]);
    // rustc prints the folder whether it exists or not.
    Ok(Path::new(&output(&mut query)?).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_tool_is_named_with_its_packages() {
        let error = build_tools(|tool| tool == "cc" || tool == "perl").unwrap_err().to_string();
        assert!(error.starts_with("not found: c++, make ("), "{error}");
        assert!(error.contains("build-essential") && error.contains("gcc-c++"), "{error}");
    }

    #[test]
    fn there_is_no_error_if_all_tools_exist() {
        assert!(build_tools(|_| true).is_ok());
    }
}
