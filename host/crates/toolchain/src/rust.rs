//! Stages in Rust: what cargo says of a folder, and a build by cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use serde::Deserialize;
use toml::Table;

use super::error::{BuildError, ProjectError};
use super::missing::{Missing, TARGET, cargo, missing};
use super::options::{BuildOptions, Network, Output};

/// The profile of this project's own stages; a workspace that has one of that name means it for stages.
const PROFILE: &str = "stage";

/// A crate that becomes a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) workspace: PathBuf,
}

/// What `cargo metadata` says, as far as we ask.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

impl Package {
    fn is_stage(&self) -> bool {
        self.targets.iter().flat_map(|target| &target.crate_types).any(|kind| kind == "cdylib")
    }

    fn folder(&self) -> PathBuf {
        self.manifest_path.parent().map(Path::to_owned).unwrap_or_default()
    }
}

/// The crate in a folder, or the only stage of the workspace there.
pub(crate) fn crate_at(folder: &Path) -> Result<Crate, ProjectError> {
    if !folder.join("Cargo.toml").is_file() {
        return Err(ProjectError::NoSources(folder.display().to_string()));
    }
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let Metadata { packages, workspace_root } = metadata(&folder)?;
    let of = |package: &Package| Crate {
        name: package.name.clone(),
        folder: package.folder(),
        workspace: workspace_root.clone(),
    };
    if let Some(package) = packages.iter().find(|package| package.folder() == folder) {
        return Ok(of(package));
    }
    let stages: Vec<&Package> = packages.iter().filter(|package| package.is_stage()).collect();
    match stages.as_slice() {
        [only] => Ok(of(only)),
        [] => Err(ProjectError::Unclear { folder: folder.display().to_string(), found: "no stage".to_owned() }),
        several => {
            let shown = |package: &&Package| {
                let path = package.folder();
                path.strip_prefix(&folder).unwrap_or(&path).display().to_string()
            };
            let found = format!("several stages: {}", several.iter().map(shown).collect::<Vec<_>>().join(", "));
            Err(ProjectError::Unclear { folder: folder.display().to_string(), found })
        }
    }
}

/// The stage of that name, in any spelling of its hyphens, in the workspace of a folder.
pub(crate) fn crate_called(folder: &Path, name: &str) -> Result<Option<Crate>, ProjectError> {
    let Metadata { packages, workspace_root } = metadata(folder)?;
    let is_meant = |package: &Package| package.is_stage() && package.name.replace('_', "-") == name;
    Ok(packages.iter().find(|package| is_meant(package)).map(|package| Crate {
        name: package.name.clone(),
        folder: package.folder(),
        workspace: workspace_root,
    }))
}

fn metadata(folder: &Path) -> Result<Metadata, ProjectError> {
    let unreadable = |why: String| ProjectError::Unreadable { folder: folder.display().to_string(), why };
    let mut command = Command::new(cargo());
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ProjectError::Missing(Missing::Cargo)),
        Err(error) => return Err(unreadable(format!("cargo does not start: {error}"))),
        Ok(output) => output,
    };
    if !output.status.success() {
        return Err(unreadable(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| unreadable(format!("cargo's description of it: {error}")))
}

/// One message of a build.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Builds a crate. Returns the component that cargo made, and what cargo said if that is kept.
pub(crate) async fn build(krate: &Crate, options: BuildOptions) -> Result<(PathBuf, String), BuildError> {
    let io = |error| BuildError::Io { what: "cannot run cargo".to_owned(), error };
    let mut command = tokio::process::Command::new(cargo());
    command.args(["build", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    match has_profile(&krate.workspace) {
        true => command.args(["--profile", PROFILE]),
        false => command.arg("--release"),
    };
    command.arg("--manifest-path").arg(krate.folder.join("Cargo.toml"));
    if options.network == Network::Offline {
        command.arg("--offline");
    }
    // Cargo reads `.cargo/config.toml` from where it is started. If this binary was itself started by cargo, its words for
    // that build do not concern this one.
    command.current_dir(&krate.folder).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let inherited = env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.as_encoded_bytes().starts_with(b"CARGO_PKG_")) {
        command.env_remove(name);
    }
    match options.output {
        Output::Shown => command.stderr(Stdio::inherit()),
        Output::Kept => command.stderr(Stdio::piped()),
    };
    let output = match command.spawn() {
        Ok(cargo) => cargo.wait_with_output().await.map_err(io)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BuildError::Missing(Missing::Cargo)),
        Err(error) => return Err(io(error)),
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        // Only now: it takes time, and a build that works needs nothing.
        let lacking = tokio::task::spawn_blocking(missing).await.unwrap_or_default();
        return Err(match lacking {
            Some(missing) => BuildError::Missing(missing),
            None => BuildError::Failed { name: krate.name.clone(), output: said },
        });
    }
    let manifest = krate.folder.join("Cargo.toml");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let made = messages
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.manifest_path == manifest)
        .flat_map(|message| message.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    match made {
        Some(made) => Ok((made, said)),
        None => Err(BuildError::NoComponent { name: krate.name.clone() }),
    }
}

/// Whether the workspace has a profile for stages.
fn has_profile(workspace: &Path) -> bool {
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).unwrap_or_default();
    let manifest: Table = manifest.parse().unwrap_or_default();
    manifest.get("profile").is_some_and(|profiles| profiles.get(PROFILE).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace with these stages.
    fn workspace(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"stages/*\"]\n")
            .unwrap();
        for name in names {
            let stage = folder.path().join("stages").join(name);
            fs::create_dir_all(stage.join("src")).unwrap();
            let manifest =
                format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n");
            fs::write(stage.join("Cargo.toml"), manifest).unwrap();
            fs::write(stage.join("src/lib.rs"), "").unwrap();
        }
        folder
    }

    #[test]
    fn a_stage_is_found_by_its_folder_and_by_the_only_one_of_a_workspace() {
        let folder = workspace(&["a-b"]);
        let root = fs::canonicalize(folder.path()).unwrap();
        let expected = Crate { name: "a-b".into(), folder: root.join("stages/a-b"), workspace: root.clone() };
        assert_eq!(crate_at(&root.join("stages/a-b")).unwrap(), expected);
        assert_eq!(crate_at(folder.path()).unwrap(), expected);
    }

    #[test]
    fn one_of_several_has_to_be_named() {
        let folder = workspace(&["a", "b"]);
        let refused = crate_at(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("several stages: stages/a, stages/b"), "{refused}");
        assert_eq!(crate_called(folder.path(), "b").unwrap().unwrap().name, "b");
        assert_eq!(crate_called(folder.path(), "c").unwrap(), None);
    }

    #[test]
    fn a_folder_without_sources_says_how_to_begin() {
        let folder = tempfile::tempdir().unwrap();
        let refused = crate_at(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("gristmill stage new"), "{refused}");
        fs::write(folder.path().join("Cargo.toml"), "no manifest").unwrap();
        let refused = crate_at(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("cannot be built") && refused.contains("Cargo.toml"), "{refused}");
    }

    #[test]
    fn a_profile_for_stages_is_used_where_there_is_one() {
        let folder = workspace(&["a"]);
        assert!(!has_profile(folder.path()));
        let manifest = folder.path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap() + "[profile.stage]\ninherits = \"release\"\n";
        fs::write(&manifest, text).unwrap();
        assert!(has_profile(folder.path()));
    }
}
