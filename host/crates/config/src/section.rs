//! Reads tables and values of a pipeline file, and gathers every fault on the way instead of stopping at the first.
//!
//! A closed set of serde shapes would stop at the first fault and tell of an unknown key only by text; here each read
//! is a call that says what is allowed, and a table knows its keys from what was asked of it.

use std::cell::RefCell;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Place};
use super::error::Fault;
use super::suggest::nearest;

/// What a table looks like, for messages.
pub(super) const TABLE_FORM: &str = "write { key = value }, or a [header] and the keys below it";

/// Proof that a fault was reported: only [`Faults`] makes it, so what is missing is always explained.
#[derive(Debug)]
pub(super) struct Reported(());

/// What was read, or the proof that something about it was reported.
pub(super) type Read<T> = Result<T, Reported>;

/// The faults found so far. A cell, because many tables and values are open for reading at once and each can report.
pub(super) struct Faults {
    document: Arc<Document>,
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    pub(super) fn new(document: Arc<Document>) -> Self {
        Self { document, found: RefCell::new(Vec::new()) }
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    pub(super) fn report(&self, place: Place, message: impl Into<String>, label: impl Into<String>) -> Reported {
        self.found.borrow_mut().push(Fault::at(place, message).label(label));
        Reported(())
    }

    /// Reports a fault of what a JSON Pointer into the file names.
    pub(super) fn report_at(&self, pointer: &str, message: impl Into<String>, label: impl Into<String>) -> Reported {
        self.report(Place::of_pointer(&self.document, pointer), message, label)
    }

    pub(super) fn into_found(self) -> Vec<Fault> {
        self.found.into_inner()
    }
}

/// A value, and what messages call it.
#[derive(Clone)]
pub(super) struct Value<'a> {
    /// For example `"attempts" in [retry]`.
    pub(super) what: String,
    pub(super) toml: &'a Spanned<DeValue<'a>>,
    pub(super) faults: &'a Faults,
}

impl<'a> Value<'a> {
    pub(super) fn place(&self) -> Place {
        Place::of_span(&self.faults.document, self.toml.span())
    }

    pub(super) fn fault(&self, message: impl Into<String>, label: impl Into<String>) -> Reported {
        self.faults.report(self.place(), message, label)
    }

    /// Reports that the value is of the wrong type.
    pub(super) fn wrong_type(&self, wanted: &str, label: &str) -> Reported {
        let found = match self.toml.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.fault(format!("{} must be {wanted}, not {found}", self.what), label)
    }

    /// Reads the value as a table and reports every key that `read` did not ask for.
    pub(super) fn table<T>(&self, title: &str, read: impl FnOnce(&mut Section<'a>) -> Read<T>) -> Read<T> {
        match self.toml.get_ref() {
            DeValue::Table(table) => {
                let mut section = Section::new(title, Some(table), self.place(), self.faults);
                let result = read(&mut section);
                section.report_unknown_keys();
                result
            }
            _ => Err(self.wrong_type("a table", TABLE_FORM)),
        }
    }

    /// The elements of an array.
    pub(super) fn list(&self, form: &str) -> Read<Vec<Value<'a>>> {
        let DeValue::Array(array) = self.toml.get_ref() else {
            return Err(self.wrong_type("an array", form));
        };
        let element = |toml| Value { what: format!("an element of {}", self.what), toml, faults: self.faults };
        Ok(array.iter().map(element).collect())
    }
}

/// A table, and which of its keys were asked for.
pub(super) struct Section<'a> {
    /// What messages call it: `[retry]`, `stage "enrich"`.
    pub(super) title: String,
    table: Option<&'a DeTable<'a>>,
    place: Place,
    faults: &'a Faults,
    known: Vec<&'static str>,
    open: Open,
}

/// Whether a table may hold keys that nobody asked for.
#[derive(PartialEq, Eq)]
enum Open {
    No,
    Yes,
}

impl<'a> Section<'a> {
    /// `None` is a table that is not in the file: everything in it has its default.
    pub(super) fn new(title: &str, table: Option<&'a DeTable<'a>>, place: Place, faults: &'a Faults) -> Self {
        Self { title: title.to_owned(), table, place, faults, known: Vec::new(), open: Open::No }
    }

    pub(super) fn faults(&self) -> &'a Faults {
        self.faults
    }

    /// Reports a fault at the value of a key, or at the table if the key is not there.
    pub(super) fn fault_at(&self, key: &str, message: String, label: String) -> Reported {
        let place = match self.table.and_then(|table| table.get(key)) {
            Some(toml) => Place::of_span(&self.faults.document, toml.span()),
            None => self.place.clone(),
        };
        self.faults.report(place, message, label)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    fn get(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key);
        let toml = self.table?.get(key)?;
        Some(Value { what: format!("\"{key}\" in {}", self.title), toml, faults: self.faults })
    }

    /// A value that may be absent.
    pub(super) fn option<T>(&mut self, key: &'static str, read: impl FnOnce(&Value<'a>) -> Read<T>) -> Read<Option<T>> {
        self.get(key).map(|value| read(&value)).transpose()
    }

    /// A value that has a default.
    pub(super) fn or<T>(&mut self, key: &'static str, default: T, read: impl FnOnce(&Value<'a>) -> Read<T>) -> Read<T> {
        Ok(self.option(key, read)?.unwrap_or(default))
    }

    /// A value that must be there; `way_out` says what to write where it is not.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        way_out: &str,
        read: impl FnOnce(&Value<'a>) -> Read<T>,
    ) -> Read<T> {
        match self.get(key) {
            Some(value) => read(&value),
            None => {
                let message = format!("{} has no \"{key}\"", self.title);
                Err(self.faults.report(self.place.clone(), message, format!("add {way_out}")))
            }
        }
    }

    /// A table that may be absent as a whole, in which each key has a default.
    pub(super) fn table_or_default<T>(
        &mut self,
        key: &'static str,
        title: &str,
        read: impl FnOnce(&mut Section<'a>) -> Read<T>,
    ) -> Read<T> {
        match self.get(key) {
            Some(value) => value.table(title, read),
            None => read(&mut Section::new(title, None, self.place.clone(), self.faults)),
        }
    }

    /// All keys with their values, for tables whose keys are the user's: each key as a value of its own, to report at.
    pub(super) fn entries(&mut self) -> Vec<(&'a str, Place, Value<'a>)> {
        self.open = Open::Yes;
        let mut entries = Vec::new();
        for (key, toml) in self.table.into_iter().flatten() {
            let name: &'a str = key.get_ref();
            let value = Value { what: format!("\"{name}\" in {}", self.title), toml, faults: self.faults };
            entries.push((name, Place::of_span(&self.faults.document, key.span()), value));
        }
        entries
    }

    /// Gives up telling known keys from unknown ones, because what would decide it is itself at fault.
    pub(super) fn allow_any_key(&mut self) {
        self.open = Open::Yes;
    }

    pub(super) fn report_unknown_keys(&self) {
        if self.open == Open::Yes {
            return;
        }
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let mut label = match nearest(name, self.known.iter().copied()) {
                Some(known) => format!("did you mean \"{known}\"? "),
                None => String::new(),
            };
            label.push_str(&format!("keys here are: {}", self.known.join(", ")));
            let place = Place::of_span(&self.faults.document, key.span());
            self.faults.report(place, format!("unknown key \"{name}\" in {}", self.title), label);
        }
    }
}
