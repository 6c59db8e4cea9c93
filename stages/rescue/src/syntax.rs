//! JSON with faults of syntax.

use gristmill_sdk::llm::Model;
use serde::de::IgnoredAny;

use crate::config::Config;
use crate::faithful::is_faithful;
use crate::lenient;
use crate::mended::{Mended, Stop};
use crate::prompt;

/// Whether a text is JSON, with or without a byte order mark.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text.trim_start_matches('\u{feff}')).is_ok()
}

/// The document that a broken text was meant to be: by rules, or by a model. It holds exactly what the text holds.
pub(crate) fn mended(config: &Config, broken: &str, model: &dyn Model) -> Result<Mended, Stop> {
    let is_good = |document: &str| is_json(document) && is_faithful(broken, document);
    if let Some(document) = lenient::read(broken).filter(|document| is_good(document)) {
        return Ok(Mended::by_rules(document));
    }
    if !lenient::unwrapped(broken).trim_end().ends_with(['}', ']']) {
        return Err(Stop::cannot("the end of the JSON is missing, and what was cut off is never completed"));
    }
    if !config.ask {
        return Err(Stop::cannot("the JSON can be read in more than one way, and `ask` is false"));
    }
    config.readable(broken)?;
    let response = model.chat(prompt::json(config, broken))?;
    if !is_good(&response.text) {
        let reason = format!("the answer of {} does not hold exactly what the item holds", response.model);
        return Err(Stop::cannot(reason));
    }
    Ok(Mended::by_model(response.text.clone(), response))
}
