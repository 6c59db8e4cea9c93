//! JSON files that the configuration of a stage names: a table `{ json_file = "order.schema.json" }`, anywhere in it,
//! stands for what the file holds. So a schema can be the file that others use too, and hold what TOML cannot: null, and
//! numbers beyond 64 bits.

use std::path::{Path, PathBuf};

use gristmill_config::{Checked, ConfigError, Fault};
use gristmill_core::settings::{ByteSize, read_file};
use serde_json::Value;

use super::PipelineFile;

/// The only key of a table that stands for a file.
const KEY: &str = "json_file";
/// As much as a pipeline file may hold.
const LARGEST: ByteSize = ByteSize::mib(1);

/// Puts the files in the places of the tables that name them, and returns their paths.
///
/// # Errors
/// All files that cannot be read or are not JSON, each at the place that names it.
pub(super) fn fill_in(file: &mut Checked<PipelineFile>) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = file.folder().to_owned();
    let mut filling = Filling { folder: &folder, read: Vec::new(), bad: Vec::new() };
    for (index, stage) in file.value.stages.iter_mut().enumerate() {
        filling.fill_in(&mut stage.config, &format!("/stage/{index}/config"));
    }
    let Filling { read, bad, .. } = filling;
    let faults = bad.into_iter().map(|Bad { pointer, message, label }| {
        let fault = Fault::at(file.place(&pointer), message);
        fault.label(label)
    });
    ConfigError::check(faults.collect()).map(|()| read)
}

/// What is being filled in.
struct Filling<'f> {
    folder: &'f Path,
    /// The files that were read.
    read: Vec<PathBuf>,
    bad: Vec<Bad>,
}

/// A file that cannot be used.
struct Bad {
    pointer: String,
    message: String,
    label: String,
}

impl Filling<'_> {
    /// What a file holds is not searched again. The nesting is that of a TOML file, which its parser bounds.
    fn fill_in(&mut self, value: &mut Value, pointer: &str) {
        if let Some(name) = named(value) {
            let path = self.folder.join(name);
            match read(&path) {
                Ok(json) => *value = json,
                Err(reason) => self.bad.push(Bad {
                    pointer: format!("{pointer}/{KEY}"),
                    message: format!("the JSON file {name:?} cannot be used: {reason}"),
                    label: "relative paths start at the folder of this file".into(),
                }),
            }
            self.read.push(path);
            return;
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    self.fill_in(member, &format!("{pointer}/{name}"));
                }
            }
            Value::Array(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    self.fill_in(element, &format!("{pointer}/{index}"));
                }
            }
            _ => {}
        }
    }
}

/// The file that a table stands for.
fn named(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(KEY)?.as_str()
}

fn read(path: &Path) -> Result<Value, String> {
    let bytes = read_file(path, LARGEST).map_err(|error| error.to_string())?;
    let json = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    serde_json::from_slice(json).map_err(|error| format!("it is not JSON: {error}"))
}
