//! Builds the WebAssembly guests: the standard stages and the guests of the host's tests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::setup::{WASM, own_rustc};
use crate::workspace::{Workspace, run};

/// The standard stages that can ask models but need not. A component that imports `llm` needs the grant, so each is also
/// built with its feature `models`, for those who grant it.
const ASKING: [&str; 1] = ["sanitize"];

/// Builds the stages in `stages/` into `target/stages/<name>.wasm`, and those that can ask models into `<name>.llm.wasm`.
pub(crate) fn standard(workspace: &Workspace) -> Result<()> {
    let names = crates_in(&workspace.root.join("stages"))?;
    // First, so that cargo leaves the other ones where people look for them.
    let asking = ASKING.map(str::to_owned);
    build(
        workspace,
        &asking,
        &Group { prefix: "gristmill-stage", features: &["models"], to: "stages", suffix: ".llm" },
    )?;
    build(workspace, &names, &Group { prefix: "gristmill-stage", features: &[], to: "stages", suffix: "" })
}

/// Builds the guests in `host/tests/guests/` into `target/guests/<name>.wasm`.
pub(crate) fn guests(workspace: &Workspace) -> Result<()> {
    let names = crates_in(&workspace.root.join("host/tests/guests"))?;
    build(workspace, &names, &Group { prefix: "gristmill-guest", features: &[], to: "guests", suffix: "" })
}

/// What is built by one cargo call: cargo unifies the features of everything it builds together, so a stage's bytes would
/// depend on what it was built with, and the host, which embeds them, would be rebuilt.
struct Group<'a> {
    /// Crates are called `<prefix>-<folder>`.
    prefix: &'a str,
    features: &'a [&'a str],
    /// The folder in `target` for the components.
    to: &'a str,
    /// What their names end in, before `.wasm`.
    suffix: &'a str,
}

/// Builds these crates and copies their components to `target/<to>/<name><suffix>.wasm`.
fn build(workspace: &Workspace, names: &[String], group: &Group<'_>) -> Result<()> {
    let Group { prefix, features, to, suffix } = group;
    if names.is_empty() {
        return Ok(());
    }

    let mut cargo = workspace.cargo(["build", "--target", WASM, "--profile", "stage"]);
    for name in names {
        cargo.arg("--package").arg(format!("{prefix}-{name}"));
    }
    for feature in *features {
        cargo.arg("--features").arg(feature);
    }
    let mut built = workspace.target.clone();
    // A folder of its own for each compiler and each set of features: in the same one they would discard each other's output.
    if let Some(rustc) = own_rustc() {
        built.push("wasm-rustc");
        cargo.env("RUSTC", rustc);
    }
    if !features.is_empty() {
        built.push("wasm-features");
    }
    cargo.env("CARGO_TARGET_DIR", &built);
    run(&mut cargo)?;

    let built = built.join(WASM).join("stage");
    let folder = workspace.target.join(to);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in names {
        let component = format!("{prefix}-{name}").replace('-', "_");
        let component = built.join(component).with_extension("wasm");
        copy_if_changed(&component, &folder.join(format!("{name}{suffix}.wasm")))?;
    }
    Ok(())
}

/// The names of the stage crates in `folder`, sorted; none if the folder does not exist.
fn crates_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if !folder.is_dir() {
        return Ok(names);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "sdk" && entry.path().join("Cargo.toml").is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Copies a file unless the copy is already up to date: cargo compares modification times, and a new one would rebuild
/// the host.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
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
    fn stages_are_the_crates_other_than_the_sdk() {
        let folder = Folder::new("crates");
        for name in ["sdk", "enrich", "chunk"] {
            fs::create_dir(folder.0.join(name)).unwrap();
            fs::write(folder.0.join(name).join("Cargo.toml"), "").unwrap();
        }
        fs::create_dir(folder.0.join("not-a-crate")).unwrap();

        assert_eq!(crates_in(&folder.0).unwrap(), ["chunk", "enrich"]);
        assert!(crates_in(&folder.0.join("missing")).unwrap().is_empty());
    }
}
