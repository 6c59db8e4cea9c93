//! Begins projects and stages from templates.

use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::Table;

use super::name::Name;
use super::place;
use super::sdk;
use super::template::{self, Words};

/// The language of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Rust.
    #[default]
    Rust,
    /// Python, which is experimental.
    Python,
    /// JavaScript, which is experimental.
    JavaScript,
}

impl Language {
    /// The folder of its template.
    fn template(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
        }
    }
}

/// The workspace of a project, whose stages share what is compiled.
const OF_PROJECT: &str =
    "[workspace]\nresolver = \"3\"\nmembers = [\"stages/*\"]\nexclude = [\"vendor\"]           # the SDK\n\n";
/// The workspace of a stage that stands alone, so that none above it counts.
const OF_STAGE: &str = "\n[workspace]\nresolver = \"3\"\nexclude = [\"vendor\"]           # the SDK\n\n";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The folder of what was begun.
    pub folder: PathBuf,
    /// The folder of the workspace; that of the stage, if it stands alone.
    pub root: PathBuf,
}

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// Something has that name.
    #[error("{0} exists already; choose another name, or remove it")]
    Exists(String),
    /// A file cannot be written.
    #[error("{path} cannot be written: {error}")]
    Write {
        /// The file or folder.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// Begins a project in the folder `NAME` of `at`: a pipeline with a stage of that name, and the SDK.
///
/// # Errors
/// The folder exists, or something cannot be written.
pub fn new_project(at: &Path, name: &Name) -> Result<Written, NewError> {
    let root = fresh(at.join(name.as_str()))?;
    let words = Words { name, sdk: "" };
    put_all(&root, template::files("project", &words))?;
    put_all(&root, workspace_files(&words, OF_PROJECT))?;
    carry_sdk(&root)?;
    new_in(&root, name, Language::Rust)?;
    Ok(Written { folder: root.clone(), root })
}

/// Begins a stage: in `stages/NAME` of the project that `at` is in, or else in the folder `NAME` of `at`, with the SDK. One in
/// another language than Rust is in the folder `NAME`, of the project if there is one.
///
/// # Errors
/// The folder exists, or something cannot be written.
pub fn new_stage(at: &Path, name: &Name, language: Language) -> Result<Written, NewError> {
    let project = at.ancestors().find(|folder| is_project(folder));
    if language != Language::Rust {
        // Beside the stages of a workspace, which takes in all that is in `stages`.
        let folder = fresh(project.unwrap_or(at).join(name.as_str()))?;
        put_all(&folder, template::files(language.template(), &Words { name, sdk: "" }))?;
        put_all(&folder, sdk::contract())?;
        return Ok(Written { root: folder.clone(), folder });
    }
    if let Some(root) = project {
        let folder = new_in(root, name, language)?;
        return Ok(Written { folder, root: root.to_owned() });
    }
    let folder = fresh(at.join(name.as_str()))?;
    let sdk = format!("{}/{}", sdk::FOLDER, sdk::CRATE);
    let words = Words { name, sdk: &sdk };
    let (mut files, mut workspace) = (template::files(language.template(), &words), workspace_files(&words, OF_STAGE));
    // Both have a manifest; together they are that of a stage which is its own workspace.
    for (path, text) in &mut files {
        if let Some(at) = workspace.iter().position(|(other, _)| other == path) {
            text.push_str(&workspace.remove(at).1);
        }
    }
    put_all(&folder, files)?;
    put_all(&folder, workspace)?;
    carry_sdk(&folder)?;
    Ok(Written { root: folder.clone(), folder })
}

/// A stage in the folder of a project.
fn new_in(root: &Path, name: &Name, language: Language) -> Result<PathBuf, NewError> {
    let folder = fresh(root.join("stages").join(name.as_str()))?;
    let sdk = format!("../../{}/{}", sdk::FOLDER, sdk::CRATE);
    put_all(&folder, template::files(language.template(), &Words { name, sdk: &sdk }))?;
    Ok(folder)
}

/// What stands at the root of a workspace, whose manifest begins with these words.
fn workspace_files(words: &Words<'_>, head: &str) -> Vec<(PathBuf, String)> {
    let mut files = template::files("workspace", words);
    for (_, text) in files.iter_mut().filter(|(path, _)| path == Path::new("Cargo.toml")) {
        text.insert_str(0, head);
    }
    files
}

/// Whether this is the folder of a project: it carries the SDK, and its workspace takes stages in.
fn is_project(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let manifest: Table = manifest.parse().unwrap_or_default();
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members")?.as_array().cloned());
    let takes_stages = members.is_some_and(|members| members.iter().any(|member| member.as_str() == Some("stages/*")));
    takes_stages && folder.join(sdk::FOLDER).is_dir()
}

fn fresh(folder: PathBuf) -> Result<PathBuf, NewError> {
    match fs::symlink_metadata(&folder) {
        Ok(_) => Err(NewError::Exists(folder.display().to_string())),
        Err(_) => Ok(folder),
    }
}

fn carry_sdk(root: &Path) -> Result<(), NewError> {
    sdk::write_sdk(root).map(drop).map_err(failed(&root.join(sdk::FOLDER)))
}

fn put_all(folder: &Path, files: Vec<(PathBuf, String)>) -> Result<(), NewError> {
    for (path, text) in files {
        let path = folder.join(path);
        place::put(&path, text.as_bytes()).map_err(failed(&path))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> NewError {
    let path = path.display().to_string();
    move |error| NewError::Write { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_stage_joins_the_project_it_is_begun_in() {
        let folder = tempfile::tempdir().unwrap();
        let project = new_project(folder.path(), &name("hello")).unwrap();
        assert!(project.folder.join("stages/hello/Cargo.toml").is_file());
        let below = project.folder.join("stages/hello/src");
        let second = new_stage(&below, &name("second"), Language::Rust).unwrap();
        assert_eq!(second, Written { folder: project.folder.join("stages/second"), root: project.folder.clone() });
        let manifest = fs::read_to_string(second.folder.join("Cargo.toml")).unwrap();
        let manifest: Table = manifest.parse().unwrap();
        let sdk = manifest["dependencies"]["gristmill-sdk"]["path"].as_str().unwrap();
        assert!(second.folder.join(sdk).join("Cargo.toml").is_file(), "{sdk}");
        assert!(manifest.get("workspace").is_none() && !second.folder.join("vendor").exists());
    }

    #[test]
    fn a_stage_elsewhere_stands_alone_with_its_sdk() {
        let folder = tempfile::tempdir().unwrap();
        let stage = new_stage(folder.path(), &name("lone"), Language::Rust).unwrap();
        assert_eq!((&stage.folder, &stage.root), (&folder.path().join("lone"), &folder.path().join("lone")));
        let manifest = fs::read_to_string(stage.folder.join("Cargo.toml")).unwrap();
        let manifest: Table = manifest.parse().unwrap();
        assert_eq!(manifest["workspace"]["exclude"][0].as_str(), Some("vendor"));
        assert_eq!(manifest["profile"]["release"]["panic"].as_str(), Some("abort"));
        let sdk = manifest["dependencies"]["gristmill-sdk"]["path"].as_str().unwrap();
        assert!(stage.folder.join(sdk).join("src/lib.rs").is_file(), "{sdk}");
    }

    #[test]
    fn a_stage_in_another_language_brings_its_module_and_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        for (language, source, module) in
            [(Language::Python, "stage.py", "gristmill.py"), (Language::JavaScript, "stage.js", "gristmill.js")]
        {
            let stage = new_stage(folder.path(), &name(&format!("s-{}", language.template())), language).unwrap();
            for file in [source, module, "wit/stage.wit", "README.md", "cases/tidy/item.txt"] {
                assert!(stage.folder.join(file).is_file(), "{language:?}: {file}");
            }
            let text = fs::read_to_string(stage.folder.join(source)).unwrap();
            assert!(text.contains(&format!("\"s-{}\"", language.template())), "{text}");
        }
    }

    #[test]
    fn what_exists_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hello"), "mine").unwrap();
        for refused in [
            new_project(folder.path(), &name("hello")).unwrap_err(),
            new_stage(folder.path(), &name("hello"), Language::Rust).unwrap_err(),
        ] {
            assert!(refused.to_string().contains("exists already"), "{refused}");
        }
        assert_eq!(fs::read_to_string(folder.path().join("hello")).unwrap(), "mine");
    }
}
