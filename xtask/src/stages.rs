//! Builds the guests: the standard stages, and the misbehaving ones that the sandbox is tested with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::setup::{WASM, own_rustc};
use crate::workspace::{Workspace, run};

/// Builds the stages in `stages/` into `target/stages/<name>.wasm`.
pub(crate) fn standard(workspace: &Workspace) -> Result<()> {
    build(workspace, "stages", "gristmill-stage", "stages")
}

/// Builds the guests in `host/tests/guests/` into `target/guests/<name>.wasm`.
pub(crate) fn guests(workspace: &Workspace) -> Result<()> {
    build(workspace, "host/tests/guests", "gristmill-guest", "guests")
}

/// Builds the crates in the folder `from`, called `<prefix>-<folder>`, and copies their components to `target/<to>`.
///
/// A family is built by one call of cargo and never together with another: cargo unifies the features of what it builds
/// together, so that a stage would have other bytes, and the host be built again, depending on who asked for it.
fn build(workspace: &Workspace, from: &str, prefix: &str, to: &str) -> Result<()> {
    let names = crates_in(&workspace.root.join(from))?;
    if names.is_empty() {
        return Ok(());
    }

    let mut cargo = workspace.cargo(["build", "--target", WASM, "--profile", "stage"]);
    for name in &names {
        cargo.arg("--package").arg(format!("{prefix}-{name}"));
    }
    let mut built = workspace.target.clone();
    if let Some(rustc) = own_rustc() {
        // A folder of its own: two compilers in one would throw away each other's work.
        built.push("wasm-rustc");
        cargo.env("RUSTC", rustc).env("CARGO_TARGET_DIR", &built);
    }
    run(&mut cargo)?;

    let built = built.join(WASM).join("stage");
    let folder = workspace.target.join(to);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for name in &names {
        let component = format!("{prefix}-{name}").replace('-', "_");
        let component = built.join(component).with_extension("wasm");
        copy_if_changed(&component, &folder.join(name).with_extension("wasm"))?;
    }
    Ok(())
}

/// The folders in `folder` that are crates of stages, in order; none where there is no such folder.
fn crates_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if !folder.is_dir() {
        return Ok(names);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "sdk" && entry.path().join("Cargo.toml").is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Copies a file unless the copy is there already: cargo goes by times, and a new one would build the host again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).with_context(|| format!("{} cannot be written", to.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::SystemTime;
    use std::{env, process};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let folder = env::temp_dir().join(format!("gristmill-xtask-{}-{test}", process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn an_unchanged_component_is_not_written_again() {
        let folder = Folder::new("copy");
        let (from, to) = (folder.0.join("from"), folder.0.join("to"));
        fs::write(&from, "one").unwrap();
        copy_if_changed(&from, &to).unwrap();
        fs::File::options().write(true).open(&to).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();

        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), SystemTime::UNIX_EPOCH);

        fs::write(&from, "two").unwrap();
        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"two");
    }

    #[test]
    fn stages_are_the_crates_beside_the_sdk() {
        let folder = Folder::new("crates");
        for name in ["sdk", "enrich", "chunk"] {
            fs::create_dir(folder.0.join(name)).unwrap();
            fs::write(folder.0.join(name).join("Cargo.toml"), "").unwrap();
        }
        fs::create_dir(folder.0.join("no-crate")).unwrap();

        assert_eq!(crates_in(&folder.0).unwrap(), ["chunk", "enrich"]);
        assert!(crates_in(&folder.0.join("not-there")).unwrap().is_empty());
    }
}
