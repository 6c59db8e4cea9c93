//! Cleans a payload by its media type.

use std::borrow::Cow;

use crate::artifacts::Artifact;
use crate::clean::Cleaner;
use crate::config::Mode;
use crate::context::Context;
use crate::csv;
use crate::json::{self, Invalid};
use crate::kind::Kind;
use crate::names::Names;
use crate::pointer::Pointer;
use crate::report::Report;
use crate::selection::Selection;

/// How to read a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    /// One JSON text on each line.
    JsonLines,
    /// A table with the names of its columns in the first row.
    Csv,
    /// There is no media type: the payload itself decides.
    Unstated,
}

impl Form {
    /// How to read a payload of this type; `None` for a type that is neither text, JSON nor CSV.
    pub(crate) fn of(media_type: Option<&str>) -> Option<Self> {
        let Some(media_type) = media_type else { return Some(Self::Unstated) };
        match media_type.split_once('/') {
            Some(("application" | "text", "json")) => Some(Self::Json),
            Some((_, subtype)) if subtype.ends_with("+json") => Some(Self::Json),
            Some((
                _,
                "jsonl" | "x-jsonl" | "jsonlines" | "x-jsonlines" | "json-lines" | "ndjson" | "x-ndjson" | "x-ldjson",
            )) => Some(Self::JsonLines),
            Some((_, "csv" | "x-csv" | "tab-separated-values" | "tsv")) => Some(Self::Csv),
            Some(("text", _)) => Some(Self::Text),
            _ => None,
        }
    }
}

/// What a configured instance does to each payload.
pub(crate) struct Payloads {
    pub(crate) cleaner: Cleaner,
    pub(crate) fields: Vec<Pointer>,
    pub(crate) always: Vec<Pointer>,
    /// Whether personal data in the names of JSON members is replaced.
    pub(crate) names: bool,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl Payloads {
    /// The clean payload; `None` if it stays as it is.
    ///
    /// # Errors
    /// The form says JSON, and it is not.
    pub(crate) fn clean(&self, text: &str, form: Form, report: &mut Report) -> Result<Option<String>, Invalid> {
        // JSON and tables begin after a byte order mark; for a text it is one of the invisible characters.
        let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let clean = match form {
            Form::Json => self.json(body, "", &mut Names::default(), report)?,
            Form::Unstated if json::is_container(body) => self.json(body, "", &mut Names::default(), report)?,
            Form::JsonLines => self.json_lines(body, report)?,
            Form::Csv => self.csv(body, report),
            Form::Text | Form::Unstated => {
                return Ok(owned(self.cleaner.clean(text, &Context::default(), report)));
            }
        };
        if body.len() == text.len() {
            return Ok(owned(clean));
        }
        if self.removes_marks() {
            report.removed(Artifact::ZeroWidth);
            return Ok(Some(clean.into_owned()));
        }
        Ok(owned(clean).map(|clean| format!("{BYTE_ORDER_MARK}{clean}")))
    }

    fn removes_marks(&self) -> bool {
        let switches = self.cleaner.switches.as_ref();
        self.cleaner.mode == Mode::Replace && switches.is_some_and(|switches| switches.removes(Artifact::ZeroWidth))
    }

    /// `at` is where the JSON text stands in the payload.
    fn json<'t>(
        &self,
        text: &'t str,
        at: &str,
        names: &mut Names,
        report: &mut Report,
    ) -> Result<Cow<'t, str>, Invalid> {
        let selection = Selection { fields: &self.fields, always: &self.always };
        let clean = json::rewrite(text, selection, names, |value| {
            if self.cleaner.mode == Mode::Report {
                report.at(Some(format!("{at}{}", (value.pointer)())));
            }
            match value.form {
                json::Form::Name if !self.names => None,
                json::Form::Name => owned(self.cleaner.clean(value.text, value.context, report)),
                _ if value.always => self.cleaner.replace_whole(Kind::Field, value.text, report),
                json::Form::String => owned(self.cleaner.clean(value.text, value.context, report)),
                json::Form::Number => self.cleaner.clean_number(value.text, value.context, report),
                json::Form::Other => None,
            }
        });
        report.at(None);
        clean
    }

    fn json_lines<'t>(&self, text: &'t str, report: &mut Report) -> Result<Cow<'t, str>, Invalid> {
        let mut clean = String::new();
        let mut changed = false;
        let mut names = Names::default();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            if line.trim().is_empty() {
                clean.push_str(line);
                continue;
            }
            let place = format!("/{number}");
            let new = self
                .json(line, &place, &mut names, report)
                .map_err(|invalid| Invalid { reason: format!("line {}: {}", number + 1, invalid.reason) })?;
            changed |= matches!(new, Cow::Owned(_));
            clean.push_str(&new);
        }
        Ok(if changed { Cow::Owned(clean) } else { Cow::Borrowed(text) })
    }

    fn csv<'t>(&self, text: &'t str, report: &mut Report) -> Cow<'t, str> {
        let clean = csv::rewrite(text, &self.fields, &self.always, |cell| {
            if self.cleaner.mode == Mode::Report {
                report.at(Some(format!("/{}/{}", cell.row, cell.column)));
            }
            match cell.always {
                true => self.cleaner.replace_whole(Kind::Field, cell.text, report),
                false => owned(self.cleaner.clean(cell.text, cell.context, report)),
            }
        });
        report.at(None);
        clean
    }
}

/// The text if it is a new one.
fn owned(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}
