//! A file on its way to what it holds: read, checked against the schema, then by its owner, then taken.

use std::io::Read;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use toml::de::DeTable;

use super::check::{Found, check};
use super::document::{Document, Place, member};
use super::error::{ConfigError, Fault};
use super::json::{NoNumber, json, with_dates_as_text};
use super::schema::Rules;
use super::secrets::secrets;
use super::words::what;

/// The most bytes of a configuration file.
const LARGEST_FILE: u64 = 1 << 20;

/// What a file holds, and where.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// What it holds.
    pub value: T,
    document: Arc<Document>,
}

impl<T> Checked<T> {
    /// Where the value at a JSON Pointer into the file stands ("/stage/0/module", "/kafka/brokers"), or the nearest thing
    /// around it. Parses the file again: for messages.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        Place::of_pointer(&self.document, pointer)
    }
}

/// Reads a file of at most 1 MiB. Relative paths in it start at its folder.
///
/// # Errors
/// Everything that is wrong with it, or why it cannot be read.
pub fn load<T: DeserializeOwned + JsonSchema>(path: &Path) -> Result<Checked<T>, ConfigError> {
    read::<T>(path)?.finish()
}

/// The same up to the schema, for an owner with checks of its own.
///
/// # Errors
/// Why it cannot be read. Where it is not TOML, only that: what follows from it would mislead.
pub fn read<T: JsonSchema>(path: &Path) -> Result<Draft<T>, ConfigError> {
    let fault = |message: String, label: &str| {
        let document = Arc::new(Document::new(path, "", &[]));
        Fault::at(Place::of_file(&document), message).label(label)
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("the file cannot be read: {error}"), "check the path"))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(fault("the file is larger than 1MiB".to_owned(), "is it the right file?").into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| fault("the file is not UTF-8 text".to_owned(), "is it the right file?"))?;
    parse(&text, path)
}

/// [`read`] for text; `path` is what messages call it and where relative paths start.
///
/// # Errors
/// Where it is not TOML.
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
    let mut found: Vec<Found> = Vec::new();
    for (pointer, reason) in numbers {
        let (message, label) = match reason {
            NoNumber::TooLarge => ("is a number that does not fit 64 bits", "write it as a string"),
            NoNumber::NotFinite => ("is a number that JSON cannot hold", "write a finite number"),
        };
        let place = Place::of_pointer(&document, &pointer);
        let fault = Fault::at(place, format!("{} {message}", what(&written, &pointer))).label(label);
        found.push(Found { pointer, fault });
    }
    let bad_numbers = found.len();
    for more in check(&rules, &written, &document) {
        // What stands in for a number that JSON cannot hold is at fault already.
        if !found[..bad_numbers].iter().any(|known| known.pointer == more.pointer) {
            found.push(more);
        }
    }
    let value = written.clone();
    Ok(Draft { document, rules, written, value, found, of: PhantomData })
}

/// A file that was checked against its schema. Its owner checks what the schema cannot say, with
/// [`part`](Self::part) to look at what is good, and [`report`](Self::report) for what is not.
pub struct Draft<T> {
    document: Arc<Document>,
    rules: Rules,
    /// As it stands in the file.
    written: Value,
    /// With what was filled in.
    value: Value,
    found: Vec<Found>,
    of: PhantomData<fn() -> T>,
}

impl<T> Draft<T> {
    /// Whether there is a value at a JSON Pointer, good or not.
    #[must_use]
    pub fn has(&self, pointer: &str) -> bool {
        self.written.pointer(pointer).is_some()
    }

    /// Whether nothing at, below or around a JSON Pointer was reported.
    #[must_use]
    pub fn is_sound(&self, pointer: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !self.found.iter().any(|found| within(&found.pointer, pointer) || within(pointer, &found.pointer))
    }

    /// How many elements the array at a JSON Pointer has.
    #[must_use]
    pub fn len_of(&self, pointer: &str) -> usize {
        self.value.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// What stands at a JSON Pointer; `None` if nothing does, or something about it was reported.
    #[must_use]
    pub fn part<P: DeserializeOwned>(&self, pointer: &str) -> Option<P> {
        if !self.is_sound(pointer) {
            return None;
        }
        let value = self.value.pointer(pointer)?.clone();
        serde_json::from_value(with_dates_as_text(value)).ok()
    }

    /// As it stands in the file, for checks of its form.
    #[must_use]
    pub fn written(&self, pointer: &str) -> Option<&Value> {
        self.written.pointer(pointer)
    }

    /// Fills a table with what it leaves out and another has, if both are tables; one that is missing is made.
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

    /// Where the value at a JSON Pointer stands.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        Place::of_pointer(&self.document, pointer)
    }

    /// Reports a fault of the value at a JSON Pointer, and how to fix it.
    pub fn report(&mut self, pointer: &str, message: impl Into<String>, label: impl Into<String>) {
        let fault = Fault::at(self.place(pointer), message).label(label);
        self.found.push(Found { pointer: pointer.to_owned(), fault });
    }

    /// The faults so far, which stay.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.found.len()
    }
}

impl<T: DeserializeOwned> Draft<T> {
    /// What the file holds.
    ///
    /// # Errors
    /// Everything that was found, in the order of the file.
    pub fn finish(mut self) -> Result<Checked<T>, ConfigError> {
        ConfigError::check(self.found.drain(..).map(|found| found.fault).collect())?;
        self.resolve_paths()?;
        match serde_path_to_error::deserialize(with_dates_as_text(self.value)) {
            Ok(value) => Ok(Checked { value, document: self.document }),
            // The schema says less than the type, or the type reads less than the schema allows.
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

    /// Relative paths start at the folder of the file.
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
                    return Err(fault.label("write the whole path, or move the file").into());
                };
                *path = joined;
            }
        }
        Ok(())
    }
}
