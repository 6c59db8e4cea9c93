//! Loads a file: reads it, checks it against the schema, lets its owner check it, and deserializes it.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use gristmill_core::settings::{ByteSize, ReadError, read_file};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use toml::de::DeTable;

use super::check::{Faults, Found, check};
use super::document::{Document, Place, member};
use super::error::{ConfigError, Fault};
use super::json::{NoNumber, json, with_dates_as_text};
use super::schema::Rules;
use super::secrets::secrets;
use super::words::what;

/// The maximum size of a configuration file.
const LARGEST_FILE: ByteSize = ByteSize::mib(1);

/// The value that a file holds, and its places in the file.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// The value.
    pub value: T,
    document: Arc<Document>,
}

impl<T> Checked<T> {
    /// The place of the value at a JSON Pointer into the file ("/stage/0/module", "/kafka/brokers"), or of the nearest
    /// value around it. Parses the file again, so use it only for messages.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        Place::of_pointer(&self.document, pointer)
    }

    /// The folder of the file, where relative paths in it start.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.document.folder()
    }
}

/// Loads a file of at most 1 MiB. Relative paths in it are resolved against its folder.
///
/// # Errors
/// Everything that is wrong with the file, or why it cannot be read.
pub fn load<T: DeserializeOwned + JsonSchema>(path: &Path) -> Result<Checked<T>, ConfigError> {
    read::<T>(path)?.finish()
}

/// Like [`load`], but stops after the schema check, for an owner with checks of its own.
///
/// # Errors
/// If the file cannot be read or is not TOML. Faults that follow from bad TOML are not reported: they would mislead.
pub fn read<T: JsonSchema>(path: &Path) -> Result<Draft<T>, ConfigError> {
    let fault = |message: String, label: &str| {
        let document = Arc::new(Document::new(path, "", &[]));
        Fault::at(Place::of_file(&document), message).label(label)
    };
    let bytes = read_file(path, LARGEST_FILE).map_err(|error| match error {
        ReadError::TooLarge { most } => fault(format!("the file is larger than {most}"), "is it the right file?"),
        error => fault(format!("the file cannot be read: {error}"), "check the path"),
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| fault("the file is not UTF-8 text".to_owned(), "is it the right file?"))?;
    parse(&text, path)
}

/// [`read`] for text; `path` names it in messages, and relative paths are resolved against its folder.
///
/// # Errors
/// The places where it is not TOML.
pub fn parse<T: JsonSchema>(text: &str, path: &Path) -> Result<Draft<T>, ConfigError> {
    let bare = Arc::new(Document::new(path, "", &[]));
    let rules = Rules::of::<T>().map_err(|error| Fault::at(Place::of_file(&bare), error.to_string()))?;
    let (root, errors) = DeTable::parse_recoverable(text);
    let hidden = secrets(root.get_ref(), &rules.tables_of_secrets());
    let document = Arc::new(Document::new(path, text, &hidden));
    let syntax = errors.iter().map(|error| {
        let place = match error.span() {
            Some(span) => Place::of_span(&document, span),
            None => Place::of_file(&document),
        };
        Fault::at(place, "this is not TOML").label(error.message())
    });
    ConfigError::check(syntax.collect())?;

    let (written, numbers) = json(root.get_ref());
    let mut found = Faults::default();
    for (pointer, reason) in numbers {
        let (message, label) = match reason {
            NoNumber::TooLarge => ("is a number that does not fit 64 bits", "write it as a string"),
            NoNumber::NotFinite => ("is a number that JSON cannot hold", "write a finite number"),
        };
        found.add(|| {
            let place = Place::of_pointer(&document, &pointer);
            let fault = Fault::at(place, format!("{} {message}", what(&written, &pointer))).label(label);
            Found { pointer, fault }
        });
    }
    // The null that replaces a number that JSON cannot hold has already been reported.
    let bad_numbers: Vec<String> = found.listed.iter().map(|known| known.pointer.clone()).collect();
    let checked = check(&rules, &written, &document);
    for more in checked.listed {
        if !bad_numbers.contains(&more.pointer) {
            found.add(|| more);
        }
    }
    found.unlisted += checked.unlisted;
    let value = written.clone();
    Ok(Draft { document, rules, written, value, found, of: PhantomData })
}

/// A file that was checked against its schema. Its owner checks what the schema cannot express: [`part`](Self::part)
/// reads the values without faults, and [`report`](Self::report) adds faults.
pub struct Draft<T> {
    document: Arc<Document>,
    rules: Rules,
    /// The content of the file.
    written: Value,
    /// The content of the file, plus inherited values.
    value: Value,
    found: Faults,
    of: PhantomData<fn() -> T>,
}

impl<T> Draft<T> {
    /// Whether there is a value at a JSON Pointer, valid or not.
    #[must_use]
    pub fn has(&self, pointer: &str) -> bool {
        self.written.pointer(pointer).is_some()
    }

    /// Whether no fault was reported at, below or around a JSON Pointer.
    #[must_use]
    pub fn is_sound(&self, pointer: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !self.found.listed.iter().any(|found| within(&found.pointer, pointer) || within(pointer, &found.pointer))
    }

    /// How many elements the array at a JSON Pointer has.
    #[must_use]
    pub fn len_of(&self, pointer: &str) -> usize {
        self.value.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// The value at a JSON Pointer; `None` if there is no value, or a fault was reported for it.
    #[must_use]
    pub fn part<P: DeserializeOwned>(&self, pointer: &str) -> Option<P> {
        if !self.is_sound(pointer) {
            return None;
        }
        let value = self.value.pointer(pointer)?.clone();
        serde_json::from_value(with_dates_as_text(value)).ok()
    }

    /// The value at a JSON Pointer as written in the file, without inherited values.
    #[must_use]
    pub fn written(&self, pointer: &str) -> Option<&Value> {
        self.written.pointer(pointer)
    }

    /// Adds to a table the keys of another that it lacks, if both are tables. A missing table is created.
    pub fn inherit(&mut self, pointer: &str, from: &str) {
        let Some(Value::Object(base)) = self.value.pointer(from).cloned() else { return };
        let Some((owner, key)) = pointer.rsplit_once('/') else { return };
        let Some(Value::Object(owner)) = self.value.pointer_mut(owner) else { return };
        let table = owner.entry(key).or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(table) = table {
            for (key, value) in base {
                table.entry(key).or_insert(value);
            }
        }
    }

    /// What messages call the value at a JSON Pointer: `"attempts" in [retry]`.
    #[must_use]
    pub fn what(&self, pointer: &str) -> String {
        what(&self.written, pointer)
    }

    /// What messages call the table at a JSON Pointer: `[retry]`, `stage "enrich"`.
    #[must_use]
    pub fn title(&self, pointer: &str) -> String {
        super::words::title(&self.written, pointer)
    }

    /// The place of the value at a JSON Pointer.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        Place::of_pointer(&self.document, pointer)
    }

    /// Reports a fault in the value at a JSON Pointer, and how to fix it.
    pub fn report(&mut self, pointer: &str, message: impl Into<String>, label: impl Into<String>) {
        let document = &self.document;
        self.found.add(|| {
            let fault = Fault::at(Place::of_pointer(document, pointer), message).label(label);
            Found { pointer: pointer.to_owned(), fault }
        });
    }

    /// The number of faults reported so far.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.found.listed.len() + self.found.unlisted
    }
}

impl<T: DeserializeOwned> Draft<T> {
    /// Deserializes the file.
    ///
    /// # Errors
    /// All faults found, in file order.
    pub fn finish(mut self) -> Result<Checked<T>, ConfigError> {
        let Faults { listed, unlisted } = std::mem::take(&mut self.found);
        ConfigError::check_of(listed.into_iter().map(|found| found.fault).collect(), unlisted)?;
        self.resolve_paths()?;
        match serde_path_to_error::deserialize(with_dates_as_text(self.value)) {
            Ok(value) => Ok(Checked { value, document: self.document }),
            // The type is stricter than its schema.
            Err(error) => {
                let mut pointer = String::new();
                for segment in error.path() {
                    match segment {
                        Segment::Seq { index } => pointer = member(&pointer, &index.to_string()),
                        Segment::Map { key } => pointer = member(&pointer, key),
                        Segment::Enum { .. } | Segment::Unknown => break,
                    }
                }
                let message = format!("{} cannot be used", what(&self.written, &pointer));
                let place = Place::of_pointer(&self.document, &pointer);
                Err(Fault::at(place, message).label(error.inner().to_string()).into())
            }
        }
    }

    /// Resolves relative paths against the folder of the file.
    fn resolve_paths(&mut self) -> Result<(), ConfigError> {
        let evaluation = self.rules.validator.evaluate(&self.written);
        let mut paths: Vec<String> = Vec::new();
        for entry in evaluation.iter_annotations() {
            if entry.annotations.value().get("x-path") == Some(&Value::Bool(true)) {
                paths.push(entry.instance_location.as_str().to_owned());
            }
        }
        let folder = self.document.folder().to_owned();
        for pointer in paths {
            if let Some(Value::String(path)) = self.value.pointer_mut(&pointer) {
                let Some(joined) = folder.join(&*path).to_str().map(str::to_owned) else {
                    let place = Place::of_pointer(&self.document, &pointer);
                    let fault = Fault::at(place, "the path of the file's folder is not UTF-8");
                    return Err(fault.label("write an absolute path, or move the file").into());
                };
                *path = joined;
            }
        }
        Ok(())
    }
}
