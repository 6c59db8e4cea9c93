//! Reads the cases of a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use gristmill_core::settings::{ByteSize, ReadError, read_file};
use serde::Deserialize;
use serde_json::Value;

use super::config::of_table;
use super::expected::Expected;
use crate::place;

/// The largest payload.
const LARGEST_ITEM: ByteSize = ByteSize::mib(64);
/// The largest file that says something about a case.
const LARGEST_FILE: ByteSize = ByteSize::mib(256);

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The file with the payload.
    pub item: PathBuf,
    /// The payload.
    pub payload: Vec<u8>,
    /// What is said about it.
    pub terms: Terms,
    /// The script that answers in place of models.
    pub answers: Option<PathBuf>,
    /// What comes out; `None` if nobody has said yet.
    pub expected: Option<Expected>,
}

/// What `case.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// The media type; by default that of the payload's ending, and "" for none.
    pub content_type: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The attributes.
    pub attributes: BTreeMap<String, String>,
    /// Which attempt it is.
    pub attempt: Option<u32>,
    /// The stage's configuration.
    pub config: toml::Table,
    /// The branches that have a route.
    pub routed: BTreeSet<String>,
}

impl Terms {
    /// The configuration as the stage gets it.
    #[must_use]
    pub fn config_json(&self) -> Value {
        of_table(self.config.clone())
    }
}

/// Why a case cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// There are no cases.
    #[error("{0} has no cases; make a folder in it with a file item.txt, say")]
    None(String),
    /// It has no item, or more than one.
    #[error("{case} has {found}; a case has one file item.EXT")]
    Item {
        /// The folder.
        case: String,
        /// What it has.
        found: String,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: ReadError,
    },
    /// A file cannot be written, or a folder not listed.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A file does not have its form.
    #[error("{path} cannot be used: {why}")]
    Form {
        /// The file.
        path: String,
        /// Why, with the place.
        why: String,
    },
}

/// Reads the cases in the folder `cases` of a stage, in the order of their names. Those whose names have all of `filter`
/// in them, if there is one.
///
/// # Errors
/// The first case that cannot be read, or there is none.
pub fn read_all(stage: &Path, filter: Option<&str>) -> Result<Vec<Case>, CaseError> {
    let folder = stage.join("cases");
    let shared = Some(folder.join("answers.toml")).filter(|answers| answers.is_file());
    let mut cases = Vec::new();
    for path in list(&folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && filter.is_none_or(|filter| name.contains(filter)) {
            cases.push(read(name, path, shared.as_ref())?);
        }
    }
    match (cases.is_empty(), filter) {
        (false, _) => Ok(cases),
        (true, None) => Err(CaseError::None(folder.display().to_string())),
        (true, Some(filter)) => Err(CaseError::Item {
            case: folder.display().to_string(),
            found: format!("no case with {filter:?} in its name"),
        }),
    }
}

fn read(name: String, folder: PathBuf, shared: Option<&PathBuf>) -> Result<Case, CaseError> {
    let is_item = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "item") && path.is_file();
    let items: Vec<PathBuf> = list(&folder)?.into_iter().filter(is_item).collect();
    let item = match items.as_slice() {
        [item] => item.clone(),
        [] => return Err(CaseError::Item { case: folder.display().to_string(), found: "no item".to_owned() }),
        _ => return Err(CaseError::Item { case: folder.display().to_string(), found: "several items".to_owned() }),
    };
    let payload =
        read_file(&item, LARGEST_ITEM).map_err(|error| CaseError::Read { path: item.display().to_string(), error })?;
    let own = Some(folder.join("answers.toml")).filter(|answers| answers.is_file());
    Ok(Case {
        terms: parsed(&folder.join("case.toml"))?.unwrap_or_default(),
        expected: parsed(&folder.join(Expected::FILE))?,
        answers: own.or_else(|| shared.cloned()),
        name,
        folder,
        item,
        payload,
    })
}

impl Case {
    /// Writes what is expected from now on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn expect(&self, expected: &Expected) -> Result<(), CaseError> {
        let path = self.folder.join(Expected::FILE);
        place::put(&path, expected.render().as_bytes())
            .map_err(|error| CaseError::Io { path: path.display().to_string(), error })
    }
}

/// What a file says, if it is there.
fn parsed<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, CaseError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes =
        read_file(path, LARGEST_FILE).map_err(|error| CaseError::Read { path: path.display().to_string(), error })?;
    let form = |why: String| CaseError::Form { path: path.display().to_string(), why };
    let text = String::from_utf8(bytes).map_err(|error| form(error.to_string()))?;
    toml::from_str(&text).map(Some).map_err(|error| form(error.to_string()))
}

/// What is in a folder, in the order of names.
fn list(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => CaseError::None(folder.display().to_string()),
        _ => CaseError::Io { path: folder.display().to_string(), error },
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            place::put(&folder.path().join("cases").join(path), text.as_bytes()).unwrap();
        }
        folder
    }

    #[test]
    fn a_case_is_an_item_and_what_is_said_about_it() {
        let terms = "config = { a = 1 }\nheaders = { x = \"y\" }\nrouted = [\"de\"]\n";
        let folder = stage(&[
            ("b/item.json", "{}"),
            ("a/item.txt", "hello"),
            ("a/case.toml", terms),
            ("b/answers.toml", ""),
            ("answers.toml", ""),
        ]);
        let cases = read_all(folder.path(), None).unwrap();
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!((cases[0].payload.as_slice(), cases[0].expected.is_none()), (&b"hello"[..], true));
        assert_eq!(cases[0].terms.headers["x"], "y");
        assert!(cases[0].terms.routed.contains("de") && cases[0].terms.config["a"].as_integer() == Some(1));
        assert_eq!(cases[0].answers, Some(folder.path().join("cases/answers.toml")), "for all that have none");
        assert_eq!(cases[1].answers, Some(folder.path().join("cases/b/answers.toml")));
        assert_eq!(read_all(folder.path(), Some("b")).unwrap().len(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_case_is_said_with_its_file() {
        for (files, expected) in [
            (&[][..], "has no cases"),
            (&[("a/other.txt", "")], "has no item"),
            (&[("a/item.txt", ""), ("a/item.json", "")], "has several items"),
            (&[("a/item.txt", ""), ("a/case.toml", "confg = {}")], "case.toml cannot be used"),
            (&[("a/item.txt", ""), ("a/expected.toml", "outcome = 1")], "expected.toml cannot be used"),
        ] {
            let folder = stage(files);
            let refused = read_all(folder.path(), None).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        let folder = stage(&[("a/item.txt", "")]);
        let refused = read_all(folder.path(), Some("nope")).unwrap_err().to_string();
        assert!(refused.contains("no case with \"nope\""), "{refused}");
    }
}
