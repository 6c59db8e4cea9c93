//! The `sanitize` stage: replaces personal data and removes text artifacts, in text and in chosen fields of JSON.

mod artifacts;
mod clean;
mod config;
mod json;
mod kind;
mod pii;
mod pointer;
mod replacement;
mod report;
mod rewrite;
mod sweep;

use std::borrow::Cow;

use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError};

use crate::clean::Cleaner;
pub use crate::config::Config;
use crate::pointer::Pointer;
use crate::report::Report;

/// The `sanitize` stage.
pub struct Sanitize {
    cleaner: Cleaner,
    fields: Vec<Pointer>,
}

/// How to read a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    /// There is no media type: the payload itself decides.
    Unstated,
}

impl Stage for Sanitize {
    type Config = Config;

    fn describe() -> Descriptor {
        let description = "Replaces personal data and removes text artifacts";
        // "application/*" covers the types that end in "+json"; types without JSON are rejected in `process`.
        Descriptor::new("sanitize", env!("CARGO_PKG_VERSION"), description)
            .max_batch(32)
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*", "application/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        match (config.digester(), config.pointers()) {
            (Ok(digester), Ok(fields)) => {
                let cleaner = Cleaner { pii: config.pii, digester, switches: config.artifacts.switches() };
                Ok(Self { cleaner, fields })
            }
            (digester, fields) => Err(digester.err().into_iter().chain(fields.err().into_iter().flatten()).collect()),
        }
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let Some(form) = form(item.media_type().as_deref()) else {
            let reason = "the media type is neither text nor JSON: put `extract` before this stage";
            return Ok(Outcome::reject("unsupported-media-type", reason));
        };
        let Some(text) = item.text() else {
            let reason = "the payload is not UTF-8 text: convert it before this stage";
            return Ok(Outcome::reject("not-utf8", reason));
        };
        let mut report = Report::default();
        let clean = match form {
            Form::Json => self.clean_json(text, &mut report),
            Form::Unstated if json::is_container(text) => self.clean_json(text, &mut report),
            Form::Text | Form::Unstated => Ok(self.cleaner.clean(text, &mut report)),
        };
        let clean = match clean {
            Ok(Cow::Borrowed(_)) => None,
            Ok(Cow::Owned(clean)) => Some(clean),
            Err(invalid) => {
                let reason = format!("the media type is JSON but the payload is not: {}", invalid.reason);
                return Ok(Outcome::reject("invalid-json", reason));
            }
        };
        let output = Output::from(item);
        let output = match clean {
            Some(clean) => output.payload(clean),
            None => output,
        };
        Ok(Outcome::one(report.annotate(output)))
    }
}

impl Sanitize {
    fn clean_json<'t>(&self, text: &'t str, report: &mut Report) -> Result<Cow<'t, str>, json::Invalid> {
        json::rewrite_strings(text, &self.fields, |value| match self.cleaner.clean(value, report) {
            Cow::Borrowed(_) => None,
            Cow::Owned(clean) => Some(clean),
        })
    }
}

/// How to read a payload of this type; `None` for a type that is neither text nor JSON.
fn form(media_type: Option<&str>) -> Option<Form> {
    let Some(media_type) = media_type else { return Some(Form::Unstated) };
    match media_type.split_once('/') {
        Some(("application" | "text", "json")) => Some(Form::Json),
        Some((_, subtype)) if subtype.ends_with("+json") => Some(Form::Json),
        Some(("text", _)) => Some(Form::Text),
        _ => None,
    }
}

gristmill_sdk::stage!(Sanitize);
