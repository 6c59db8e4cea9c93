//! `cargo xtask package`: what is shipped, in `target/package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::deny::Deny;
use crate::steps::Steps;
use crate::tool::Tool;
use crate::workspace::{self, Workspace};
use crate::{setup, stages};

/// Shells, and how each names a file of completions.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "gristmill.bash"),
    ("zsh", "_gristmill"),
    ("fish", "gristmill.fish"),
    ("elvish", "gristmill.elv"),
    ("powershell", "gristmill.ps1"),
];

const CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.9" };

/// What cargo-cyclonedx writes beside each Cargo.toml: a name that nothing else has.
const SBOM: &str = "gristmill-package-sbom";

/// Builds the binary in its release profile, and puts it beside completions, manual pages, the licences and the bill of
/// materials of what is in it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new(6);
    let folder = workspace.target.join("package");
    steps.take("checking the build tools", "cargo xtask setup", || setup::run(workspace))?;
    steps.take("building the stages", "cargo stages", || stages::standard(workspace))?;
    let build = ["build", "--release", "--locked", "--package", "gristmill", "--bin", "gristmill"];
    steps.run("building the release (takes long: thin LTO over everything)", &mut workspace.cargo(build))?;
    let binary = steps.take("binary, completions, manual pages", "cargo xtask package", || {
        fresh(&folder)?;
        let binary = folder.join("gristmill");
        let built = workspace.target.join("release/gristmill");
        fs::copy(&built, &binary).with_context(|| format!("cannot copy {}", built.display()))?;
        completions(&binary, &folder.join("completions"))?;
        workspace::run(Command::new(&binary).arg("man").arg(folder.join("man")))?;
        Ok(binary)
    })?;
    steps.take("licences", "cargo xtask package", || {
        let licences = Deny::find(workspace)?.list(&workspace.root.join("host/Cargo.toml"))?;
        write(&folder.join("LICENSES.txt"), &licences)?;
        let own = workspace.root.join("LICENSE");
        fs::copy(&own, folder.join("LICENSE")).with_context(|| format!("cannot copy {}", own.display()))?;
        Ok(())
    })?;
    steps.take("bill of materials", "cargo xtask package", || bill_of_materials(workspace, &folder))?;
    println!("\n{steps}\n\n{} {}", size(fs::metadata(&binary)?.len()), binary.display());
    Ok(())
}

/// An empty folder: what an earlier run has left does not count.
fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn completions(binary: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (shell, file) in SHELLS {
        let script = workspace::output(Command::new(binary).args(["completions", shell]))?;
        write(&folder.join(file), &format!("{script}\n"))?;
    }
    Ok(())
}

/// In the form of CycloneDX. The tool writes one for each package of the workspace; that of the host is kept.
fn bill_of_materials(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut command = Command::new(CYCLONEDX.find(workspace)?);
    command.args(["cyclonedx", "--format", "json", "--override-filename", SBOM, "--manifest-path"]);
    let ran = workspace::run(command.arg(workspace.root.join("host/Cargo.toml")));
    let own = workspace.root.join("host").join(format!("{SBOM}.json"));
    let kept = ran.and_then(|()| {
        let target = folder.join("gristmill.cdx.json");
        fs::copy(&own, target).map(drop).with_context(|| format!("cannot copy {}", own.display()))
    });
    for left in found(&workspace.root, &format!("{SBOM}.json"))? {
        fs::remove_file(&left).with_context(|| format!("cannot remove {}", left.display()))?;
    }
    kept
}

/// The files of this name in a folder and those in it, build folders and hidden ones left out.
fn found(folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && own != "target" && !own.starts_with('.') {
            files.extend(found(&path, name)?);
        } else if own == name {
            files.push(path);
        }
    }
    Ok(files)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// As people read it.
fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_left_is_found_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("gristmill-package-{}", std::process::id()));
        for place in ["host", "host/crates/core", "target", ".git"] {
            fs::create_dir_all(folder.join(place)).unwrap();
            fs::write(folder.join(place).join("left.json"), "").unwrap();
        }
        fs::write(folder.join("other.json"), "").unwrap();
        let mut files = found(&folder, "left.json").unwrap();
        files.sort();
        assert_eq!(files, [folder.join("host/crates/core/left.json"), folder.join("host/left.json")]);
        fresh(&folder).unwrap();
        assert!(found(&folder, "other.json").unwrap().is_empty(), "what was there is gone");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_size_is_in_mebibytes() {
        assert_eq!(size(43_306_189), "41.3 MiB");
    }
}
