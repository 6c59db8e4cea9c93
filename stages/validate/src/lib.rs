//! The `validate` stage: passes an item unchanged, or rejects it with all its faults.

mod config;
mod fault;
mod json;
mod rules;
mod schema;
mod seeds;

use gristmill_sdk::{ConfigFault, Descriptor, Failure, Item, Outcome, Output, Stage, StageError};

use config::Checks;
pub use config::Config;
use fault::Faults;
pub use rules::Bounds;

/// The `validate` stage.
#[derive(Debug)]
pub struct Validate {
    checks: Checks,
}

impl Stage for Validate {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("validate", env!("CARGO_PKG_VERSION"), "Rejects items that do not fit a schema or rules")
            .max_batch(32)
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*", "application/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        seeds::of_the_configuration();
        Ok(Self { checks: config.try_into()? })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        seeds::of_items();
        let verdict = self.check(&item);
        Ok(verdict.map_or_else(Outcome::Reject, |()| Outcome::one(Output::from(&item))))
    }
}

impl Validate {
    fn check(&self, item: &Item) -> Result<(), Failure> {
        let text = item.text().ok_or_else(|| Failure::new("not-utf8", "the payload is not UTF-8 text"))?;
        let mut faults = Faults::default();
        match self.kind(item)? {
            Kind::Json => {
                let item = json::read(text, &mut faults)?;
                if let Some(schema) = &self.checks.schema {
                    schema.check(&item, &mut faults);
                }
                self.checks.rules.check(&item, &mut faults);
            }
            Kind::Text => {
                let length = text.strip_prefix('\u{feff}').unwrap_or(text).chars().count();
                if !self.checks.text.contain(&length) {
                    faults.add("", || format!("must have {} characters", self.checks.text));
                }
            }
        }
        faults.rejection().map_or(Ok(()), Err)
    }

    /// How to read the item. Without a media type, as the checks need it.
    fn kind(&self, item: &Item) -> Result<Kind, Failure> {
        let needs_json = self.checks.need_json();
        match item.media_type().as_deref() {
            None if needs_json => Ok(Kind::Json),
            None => Ok(Kind::Text),
            Some("application/json" | "text/json") => Ok(Kind::Json),
            Some(json) if json.ends_with("+json") => Ok(Kind::Json),
            Some(text) if text.starts_with("text/") && needs_json => {
                let message = format!("the checks need JSON but the item is {text}: send it as application/json");
                Err(Failure::new("not-json", message))
            }
            Some(text) if text.starts_with("text/") => Ok(Kind::Text),
            Some(other) => {
                let message = format!("validate checks text and JSON, not {other}: put `extract` before this stage");
                Err(Failure::new("unsupported-type", message))
            }
        }
    }
}

enum Kind {
    Text,
    Json,
}

gristmill_sdk::stage!(Validate);

#[cfg(test)]
mod tests;
