//! Documents from the field, and what the standard stages must make of them.
//!
//! A case is `NAME.<extension>` with `NAME.expect`: each of its lines must be found in the joined outputs, in that order.
//! If they are there, no line of `NAME.forbid` may be found, and `NAME.config` says how to run the case and what else must
//! hold (see [`Config`]). In both lists `\n` and `\t` stand for the characters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde_json::Value;

/// A document, and what must come out.
#[derive(Debug)]
pub struct Case {
    /// The name of its files without their extension.
    pub name: String,
    /// The document.
    pub payload: Vec<u8>,
    /// The media type it is sent with; `None` leaves it to the stages to detect it.
    pub content_type: Option<String>,
    /// How to run it, and what must hold beside the two lists.
    pub config: Config,
    expect: Vec<String>,
    forbid: Vec<String>,
}

/// The file `NAME.config`, in JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The stages, separated by commas. `extract` if it is empty.
    stages: String,
    /// The media type the document is sent with, in place of that of its extension.
    #[serde(rename = "type")]
    content_type: Option<String>,
    /// The configuration of each stage.
    #[serde(flatten)]
    configs: Configs,
    /// Attributes that some output carries, each as "name: value".
    attrs: Vec<String>,
    /// Each output holds this text.
    every: Option<String>,
    /// No output has an odd number of Markdown code fences.
    fences: bool,
    /// No output consists of headings only.
    noheadingonly: bool,
    /// Most outputs.
    maxchunks: Option<usize>,
    /// Length of the shortest output, in characters.
    minsize: Option<usize>,
    /// No output ends with one of these.
    nocutafter: Vec<String>,
}

/// The configuration of each stage that a case may run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configs {
    extract: Option<Value>,
    chunk: Option<Value>,
    language: Option<Value>,
    sanitize: Option<Value>,
}

/// One item at the end of a pipeline.
#[derive(Debug)]
pub struct Output {
    /// The payload as text.
    pub text: String,
    /// All attributes it carries.
    pub attributes: BTreeMap<String, String>,
}

/// The folder of the project's own cases.
#[must_use]
pub fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("documents")
}

/// Reads the cases of a folder, in the order of their names.
///
/// # Errors
/// A file cannot be read, is not UTF-8 where it must be, or a configuration is not valid.
pub fn read(folder: &Path) -> io::Result<Vec<Case>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    files.iter().filter(|file| !is_about_a_case(file)).map(|file| Case::read(file)).collect()
}

fn is_about_a_case(file: &Path) -> bool {
    matches!(file.extension().and_then(|extension| extension.to_str()), Some("expect" | "forbid" | "config"))
}

impl Case {
    fn read(document: &Path) -> io::Result<Self> {
        let config: Config = match optional(&document.with_extension("config"))? {
            Some(json) => serde_json::from_str(&json).map_err(|error| invalid(document, &error.to_string()))?,
            None => Config::default(),
        };
        let extension = document.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let name = document.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| invalid(document, "its name"))?;
        Ok(Self {
            name: name.to_owned(),
            payload: fs::read(document)?,
            content_type: config.content_type.clone().or_else(|| media_type(extension).map(str::to_owned)),
            config,
            expect: lines(&fs::read_to_string(document.with_extension("expect"))?),
            forbid: lines(&optional(&document.with_extension("forbid"))?.unwrap_or_default()),
        })
    }

    /// The stages in order, each with its configuration in JSON.
    #[must_use]
    pub fn stages(&self) -> Vec<(&str, String)> {
        let configs = &self.config.configs;
        let names = if self.config.stages.is_empty() { "extract" } else { &self.config.stages };
        let config = |name| match name {
            "extract" => &configs.extract,
            "chunk" => &configs.chunk,
            "language" => &configs.language,
            "sanitize" => &configs.sanitize,
            _ => &None,
        };
        let json = |name| config(name).as_ref().map_or_else(|| "{}".to_owned(), Value::to_string);
        names.split(',').map(|name| (name, json(name))).collect()
    }

    /// What is wrong with the outputs, or with the failure that came in their place; `None` if nothing is.
    #[must_use]
    pub fn fault(&self, outcome: &Result<Vec<Output>, String>) -> Option<String> {
        let outputs = match outcome {
            Ok(outputs) => outputs,
            Err(failure) => return Some(format!("{}: {failure}", self.name)),
        };
        let text: Vec<&str> = outputs.iter().map(|output| output.text.as_str()).collect();
        let text = text.join("\n");
        let fault = self.fault_of_text(&text).or_else(|| self.config.fault(outputs))?;
        Some(format!("{}: {fault}", self.name))
    }

    fn fault_of_text(&self, text: &str) -> Option<String> {
        let mut rest = text;
        for expected in &self.expect {
            match rest.split_once(expected.as_str()) {
                Some((_, after)) => rest = after,
                None if text.contains(expected.as_str()) => return Some(format!("{expected:?} is out of order")),
                None => return Some(format!("{expected:?} is missing")),
            }
        }
        let forbidden = self.forbid.iter().find(|forbidden| text.contains(forbidden.as_str()))?;
        Some(format!("{forbidden:?} is there"))
    }
}

impl Config {
    fn fault(&self, outputs: &[Output]) -> Option<String> {
        let any = |condition: &dyn Fn(&str) -> bool| outputs.iter().any(|output| condition(&output.text));
        let carries = |wanted: &str| {
            wanted.split_once(": ").is_some_and(|(name, value)| {
                outputs.iter().any(|output| output.attributes.get(name).is_some_and(|found| found == value))
            })
        };
        if let Some(missing) = self.attrs.iter().find(|attribute| !carries(attribute)) {
            return Some(format!("no output has the attribute {missing}"));
        }
        if let Some(every) = &self.every
            && (outputs.is_empty() || any(&|text| !text.contains(every.as_str())))
        {
            return Some(format!("{every:?} is not in every output"));
        }
        if self.fences && any(&|text| text.matches("```").count() % 2 == 1) {
            return Some("a code fence is open".into());
        }
        if self.noheadingonly && any(&|text| text.lines().all(|line| line.starts_with('#') || line.trim().is_empty())) {
            return Some("an output is headings only".into());
        }
        if self.maxchunks.is_some_and(|most| outputs.len() > most) {
            return Some(format!("{} outputs", outputs.len()));
        }
        if let Some(least) = self.minsize
            && (outputs.is_empty() || any(&|text| text.chars().count() < least))
        {
            return Some(format!("an output has less than {least} characters"));
        }
        let cut = self.nocutafter.iter().find(|end| any(&|text| text.trim_end().ends_with(end.as_str())))?;
        Some(format!("an output ends with {cut:?}"))
    }
}

/// The media type that `gristmill send` gives a file.
fn media_type(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "pdf" => "application/pdf",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "html" | "htm" => "text/html",
        "md" => "text/markdown",
        "txt" => "text/plain",
        "json" => "application/json",
        "xml" => "application/xml",
        "csv" => "text/csv",
        _ => return None,
    })
}

fn lines(list: &str) -> Vec<String> {
    list.split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| line.replace("\\n", "\n").replace("\\t", "\t"))
        .collect()
}

fn optional(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn invalid(path: &Path, reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", path.display()))
}
