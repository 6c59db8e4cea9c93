//! Mends an item that failed in another stage, without adding anything to it: rules first, a model where they are not enough.

mod characters;
mod coerce;
mod config;
mod document;
mod faithful;
mod fields;
mod grounded;
mod length;
mod lenient;
mod mended;
mod pointer;
mod prompt;
mod report;
mod schema;
mod syntax;
mod told;

use std::borrow::Cow;

use gristmill_sdk::llm::{Host, Model};
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError};
use serde_json::Value;

use config::Plan;
pub use config::{Config, Length, Mend, Shorten};
use fields::Fields;
use mended::{Mended, Stop};
use pointer::Pointer;
use report::Report;
use told::Told;

/// The `rescue` stage.
#[derive(Debug)]
pub struct Rescue {
    plan: Plan,
}

impl Stage for Rescue {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("rescue", env!("CARGO_PKG_VERSION"), "Mends an item that failed, without adding to it")
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*", "application/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { plan: config.try_into()? })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        self.rescue(&item, &Host)
    }
}

impl Rescue {
    /// Handles one item with the given model. An item that cannot be mended is rejected, and so ends with its first failure.
    ///
    /// # Errors
    /// The model gave no answer.
    pub fn rescue(&self, item: &Item, model: &dyn Model) -> Result<Outcome, StageError> {
        let mended = match Told::of(item) {
            None => Err(Stop::cannot("the item has not failed: name this stage in `on_failure = \"rescue:…\"`")),
            Some(told) if told.is_final() => Err(Stop::cannot("what a filter refused is not asked again")),
            Some(told) => self.mended(item, &told, model),
        };
        match mended {
            Ok(output) => Ok(Outcome::one(output)),
            Err(Stop::Cannot(reason)) => Ok(Outcome::reject("not-mended", reason)),
            Err(Stop::NoAnswer(error)) => Err(error),
        }
    }

    fn mended(&self, item: &Item, told: &Told<'_>, model: &dyn Model) -> Result<Output, Stop> {
        let plan = &self.plan;
        let mut report = Report::default();
        let mut text = self.text(item, &mut report)?;
        let is_json = self.is_json(item, &text);
        if is_json {
            if !syntax::is_json(&text) {
                if !plan.mends(Mend::Json) {
                    return Err(Stop::cannot("the item is not JSON, and `mend` does not have \"json\""));
                }
                text = report.with("json", syntax::mended(&plan.settings, &text, model)?).into();
            } else if let Some(root) = plan.schema.as_ref().filter(|_| !told.faults.is_empty()) {
                text = report
                    .with("schema", Fields { config: &plan.settings, root, model }.mended(&told.faults, &text)?)
                    .into();
            }
        } else if plan.mends(Mend::Characters)
            && let Some(cleaned) = characters::cleaned(&text)
        {
            text = report.with("characters", Mended::by_rules(cleaned)).into();
        }
        if self.is_too_long(told) {
            let short = match &plan.field {
                Some(field) if is_json => self.shortened_at(field, &text, model)?,
                None if !is_json => self.shortened(&text, model)?,
                Some(_) | None => None,
            };
            if let Some(short) = short {
                text = report.with("length", short).into();
            }
        }
        if report.is_empty() {
            return Err(Stop::cannot(format!("nothing that may be mended explains `{}` of {}", told.code, told.stage)));
        }
        Ok(report.output(item, told.code, &text))
    }

    /// The payload as text.
    fn text<'a>(&self, item: &'a Item, report: &mut Report) -> Result<Cow<'a, str>, Stop> {
        if let Some(text) = item.text() {
            return Ok(text.into());
        }
        if !self.plan.mends(Mend::Characters) {
            return Err(Stop::cannot("the payload is not UTF-8, and `mend` does not have \"characters\""));
        }
        let text = characters::decoded(&item.payload)
            .ok_or_else(|| Stop::cannot("the payload is not UTF-8, and it cannot be told what else it is"))?;
        Ok(report.with("characters", Mended::by_rules(text)).into())
    }

    /// Whether an item is JSON by its type; without one, by its first character, if JSON may be mended.
    fn is_json(&self, item: &Item, text: &str) -> bool {
        match item.media_type().as_deref() {
            Some(media_type) => matches!(media_type, "application/json" | "text/json") || media_type.ends_with("+json"),
            None => {
                let expected = self.plan.mends(Mend::Json) || self.plan.mends(Mend::Schema);
                expected && lenient::unwrapped(text).trim_start().starts_with(['{', '['])
            }
        }
    }

    /// Whether the failure says that the item is too long.
    fn is_too_long(&self, told: &Told<'_>) -> bool {
        let codes = self.plan.settings.length.as_ref().map(|length| length.codes.as_slice()).unwrap_or_default();
        codes.iter().any(|code| code == told.code)
    }

    /// The text in at most as many characters as it may have; `None` if it is not too long.
    fn shortened(&self, text: &str, model: &dyn Model) -> Result<Option<Mended>, Stop> {
        let settings = &self.plan.settings;
        let length = settings.length.as_ref().filter(|length| text.chars().count() > length.max_chars);
        length.map(|length| length::mended(settings, length, text, model)).transpose()
    }

    /// The document with the text at a place in at most as many characters as it may have; `None` if it is not too long.
    fn shortened_at(&self, field: &Pointer, document: &str, model: &dyn Model) -> Result<Option<Mended>, Stop> {
        let long = document::find(document, field).and_then(|value| serde_json::from_str::<String>(value).ok());
        let Some(short) = long.map(|long| self.shortened(&long, model)).transpose()?.flatten() else {
            return Ok(None);
        };
        let text = document::replaced(document, field, &Value::from(short.text).to_string());
        let text = text.ok_or_else(|| Stop::cannot(format!("there is no place for {field}")))?;
        Ok(Some(Mended { text, places: vec![field.to_string()], response: short.response }))
    }
}

gristmill_sdk::stage!(Rescue);

#[cfg(test)]
mod tests;
