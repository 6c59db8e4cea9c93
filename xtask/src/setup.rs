//! What must be on a machine before anything is built, and the part of it that we can add ourselves.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{self, Workspace, output, which};

/// The target of the stages: its output is a component.
pub(crate) const WASM: &str = "wasm32-wasip2";

/// Checks the build tools and adds the WebAssembly target where it is missing.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    build_tools(|tool| which(tool).is_some())?;
    wasm_target(workspace)
}

/// librdkafka and OpenSSL are compiled from source; without these their builds fail late and darkly.
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

/// The rustc that the stages are to be compiled with, if not the one that compiles everything else.
pub(crate) fn own_rustc() -> Option<PathBuf> {
    env::var_os("GRISTMILL_WASM_RUSTC").map(PathBuf::from)
}

/// Makes sure that stages can be compiled. `rust-toolchain.toml` names the target, but rustup acts on that only when it
/// installs the toolchain, not when the toolchain is there without it.
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
        "{} has no standard library for {WASM} and there is no rustup that adds it: install the one of exactly this \
         compiler, or set GRISTMILL_WASM_RUSTC to a rustc that has it",
        rustc.display()
    )
}

fn has_wasm(workspace: &Workspace, rustc: &Path) -> Result<bool> {
    let mut question = Command::new(rustc);
    question.current_dir(&workspace.root).args(["--print", "target-libdir", "--target", WASM]);
    // rustc names the folder whether it is there or not.
    Ok(Path::new(&output(&mut question)?).is_dir())
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
    fn nothing_is_said_when_all_tools_are_there() {
        assert!(build_tools(|_| true).is_ok());
    }
}
