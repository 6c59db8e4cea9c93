//! The SDK, which a project carries along: its sources and the contract's, cut out of the workspace that they are
//! developed in. It is not on a registry yet, and a project must build where there is no clone of Gristmill.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::place;

/// Where the SDK is in a project.
pub(crate) const FOLDER: &str = "vendor/gristmill";
/// The SDK's crate in that folder.
pub(crate) const CRATE: &str = "stages/sdk";
/// Says which SDK it is.
const VERSION: &str = "VERSION";

static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../../stages/sdk/src");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../../wit");
const MANIFEST: &str = include_str!("../../../../stages/sdk/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");
const LICENSE: &str = include_str!("../../../../LICENSE");

/// Which SDK a project has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vendored {
    /// That of this binary.
    Same,
    /// Another one, in these words; this binary brings the second.
    Other(String, String),
}

/// Which SDK the project in this folder has; `None` if it carries none.
#[must_use]
pub fn vendored(project: &Path) -> Option<Vendored> {
    let text = fs::read_to_string(project.join(FOLDER).join(VERSION)).ok()?;
    let (theirs, ours) = (text.trim().to_owned(), version(&files()));
    Some(if theirs == ours { Vendored::Same } else { Vendored::Other(theirs, ours) })
}

/// Puts the SDK of this binary into a project, in place of one that is there. Returns its folder.
///
/// # Errors
/// A file that cannot be written.
pub fn write_sdk(project: &Path) -> io::Result<PathBuf> {
    let folder = project.join(FOLDER);
    let files = files();
    // A file that this version no longer has would be compiled, too.
    for old in [folder.join(CRATE).join("src"), folder.join("wit")] {
        match fs::remove_dir_all(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for (path, text) in &files {
        place::put(&folder.join(path), text.as_bytes())?;
    }
    // Last: a folder without it is one that was not finished.
    place::put(&folder.join(VERSION), format!("{}\n", version(&files)).as_bytes())?;
    Ok(folder)
}

/// The contract, in a folder `wit`.
pub(crate) fn contract() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(&WIT, Path::new("wit"), &mut files);
    files
}

/// The version of this binary, and a digest: before a release, one version has many SDKs.
fn version(files: &[(PathBuf, String)]) -> String {
    let mut digest = Sha256::new();
    for (path, text) in files {
        for part in [path.as_os_str().as_encoded_bytes(), text.as_bytes()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    let digest: String = digest.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {digest}", env!("CARGO_PKG_VERSION"))
}

/// All files by their paths in [`FOLDER`].
fn files() -> Vec<(PathBuf, String)> {
    let mut files = vec![
        (PathBuf::from("Cargo.toml"), workspace()),
        (PathBuf::from("LICENSE"), LICENSE.to_owned()),
        (Path::new(CRATE).join("Cargo.toml"), manifest().to_string()),
    ];
    for (folder, to) in [(&SOURCES, Path::new(CRATE).join("src")), (&WIT, PathBuf::from("wit"))] {
        collect(folder, &to, &mut files);
    }
    files.sort();
    files
}

fn collect(folder: &Dir<'_>, to: &Path, files: &mut Vec<(PathBuf, String)>) {
    for file in folder.files() {
        // What is embedded is text; a test holds that.
        files.push((to.join(file.path()), file.contents_utf8().unwrap_or_default().to_owned()));
    }
    for below in folder.dirs() {
        collect(below, to, files);
    }
}

/// The SDK's manifest without what only its tests need.
fn manifest() -> Table {
    let mut manifest: Table = MANIFEST.parse().unwrap_or_default();
    manifest.remove("dev-dependencies");
    manifest
}

/// The workspace's manifest with nothing but what the SDK takes from it.
fn workspace() -> String {
    let all: Table = WORKSPACE.parse().unwrap_or_default();
    let all = all.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    let wanted = inherited(&manifest());
    let mut cut = Table::new();
    for key in ["resolver", "package", "lints"] {
        cut.extend(all.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    cut.insert("members".to_owned(), Value::Array(vec![Value::String(CRATE.to_owned())]));
    if let Some(Value::Table(mut dependencies)) = all.get("dependencies").cloned() {
        dependencies.retain(|name, _| wanted.contains(name));
        cut.insert("dependencies".to_owned(), Value::Table(dependencies));
    }
    let mut file = Table::new();
    file.insert("workspace".to_owned(), Value::Table(cut));
    format!("# The SDK of Gristmill {}, cut out of its repository.\n{file}", env!("CARGO_PKG_VERSION"))
}

/// The names of the dependencies that a manifest takes from its workspace, those of some targets included.
fn inherited(manifest: &Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (key, value) in manifest {
        let Value::Table(table) = value else { continue };
        match key.as_str() {
            "dependencies" | "build-dependencies" => {
                let is_inherited = |dependency: &Value| dependency.get("workspace").is_some();
                names.extend(table.iter().filter(|(_, of)| is_inherited(of)).map(|(name, _)| name.clone()));
            }
            "target" => names.extend(table.values().filter_map(Value::as_table).flat_map(inherited)),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_in_a_project_is_complete_and_names_nothing_outside() {
        let files = files();
        for (path, text) in &files {
            assert!(!text.is_empty(), "{} is empty, or no text", path.display());
        }
        for wanted in ["wit/stage.wit", "stages/sdk/src/lib.rs", "stages/sdk/Cargo.toml", "Cargo.toml", "LICENSE"] {
            assert!(files.iter().any(|(path, _)| path == Path::new(wanted)), "{wanted}");
        }
        let workspace: Table = workspace().parse().unwrap();
        let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
        let wanted = inherited(&manifest());
        assert!(wanted.contains("serde") && wanted.contains("proptest"), "{wanted:?}");
        assert_eq!(wanted, dependencies.keys().cloned().collect(), "neither less nor more than the SDK needs");
        let is_path = |value: &Value| value.get("path").is_some();
        assert!(
            !dependencies.values().any(is_path),
            "a crate beside the SDK has to be carried along: {dependencies:?}"
        );
    }

    #[test]
    fn a_project_with_another_sdk_is_told_from_one_with_this() {
        let project = tempfile::tempdir().unwrap();
        assert_eq!(vendored(project.path()), None);
        let folder = write_sdk(project.path()).unwrap();
        assert_eq!(vendored(project.path()), Some(Vendored::Same));
        fs::write(folder.join(VERSION), "0.0.1 abc\n").unwrap();
        fs::write(folder.join("stages/sdk/src/gone.rs"), "of another version").unwrap();
        let Some(Vendored::Other(theirs, ours)) = vendored(project.path()) else { panic!() };
        assert!(theirs == "0.0.1 abc" && ours.starts_with(env!("CARGO_PKG_VERSION")), "{theirs} {ours}");
        write_sdk(project.path()).unwrap();
        assert_eq!(vendored(project.path()), Some(Vendored::Same));
        assert!(!folder.join("stages/sdk/src/gone.rs").exists());
    }
}
