//! Where the answers go: into a JSON item, or into a new item that replaces a text item.

use gristmill_sdk::{Failure, Item, Output};
use serde_json::{Map, Value};

use crate::answer::{Answer, Totals};
use crate::config::Config;
use crate::item::{Body, Extent};
use crate::json::Object;

/// Prefixes of the attributes that describe where a text came from.
const SOURCE_PREFIXES: [&str; 2] = ["chunk.", "extract."];

/// The item that the answers go into.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// A new JSON item that replaces this text.
    Text(&'a str),
    /// This document, which may already have answers of an earlier stage.
    Json {
        /// The item.
        document: &'a Object<'a>,
        /// The answers it already has.
        earlier: Object<'a>,
    },
}

impl<'a> Target<'a> {
    /// Finds the place for the answers, before any model is called.
    ///
    /// # Errors
    /// The reason to reject the item.
    pub(crate) fn of(body: &'a Body<'a>, config: &Config) -> Result<Self, Failure> {
        let document = match body {
            Body::Text(text) => return Ok(Self::Text(text)),
            Body::Json(document) => document,
        };
        let key = &config.merge_under;
        let earlier = match document.get(key) {
            None | Some("null") => Object::default(),
            Some(value) => Object::parse(value).map_err(|_| {
                let message =
                    format!("the value of `{key}` in the item is not an object: choose another `merge_under`");
                Failure::new("merge-conflict", message)
            })?,
        };
        Ok(Self::Json { document, earlier })
    }

    /// The item with its answers.
    pub(crate) fn output(&self, item: &Item, answers: &[Answer], config: &Config) -> Output {
        let answers = answers.iter().map(|answer| (answer.name.as_str(), answer.value.as_str()));
        let output = Output::from(item);
        let text = match self {
            Self::Json { document, earlier } => {
                let merged = earlier.with(answers);
                return output.payload(document.with([(config.merge_under.as_str(), merged.as_str())]));
            }
            Self::Text(text) => config.include_text.then(|| Value::from(*text).to_string()),
        };
        let source = config.include_attributes.then(|| source(item)).flatten();
        let rest = [("text", &text), ("source", &source)];
        let rest = rest.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        output.payload(Object::default().with(answers.chain(rest))).content_type("application/json")
    }
}

/// The attributes that describe where a text came from, as a JSON object; `None` if it has none.
fn source(item: &Item) -> Option<String> {
    let attributes = item.attributes.iter();
    let known = attributes.filter(|attribute| SOURCE_PREFIXES.iter().any(|prefix| attribute.name.starts_with(prefix)));
    let object: Map<_, _> = known.map(|attribute| (attribute.name.clone(), attribute.value.clone().into())).collect();
    (!object.is_empty()).then(|| Value::Object(object).to_string())
}

/// The item as it came, with the reason why no model was asked.
pub(crate) fn skipped(item: &Item, reason: &str) -> Output {
    Output::from(item).attribute("enrich.skipped", reason)
}

/// The output with attributes about the model calls.
pub(crate) fn annotated(output: Output, totals: &Totals, extent: Extent) -> Output {
    let mut output =
        output.attribute("enrich.model", totals.models.join(", ")).attribute("enrich.cached", totals.cached);
    if let Some(tokens) = totals.input_tokens {
        output = output.attribute("enrich.input-tokens", tokens);
    }
    if let Some(tokens) = totals.output_tokens {
        output = output.attribute("enrich.output-tokens", tokens);
    }
    match extent {
        Extent::Whole => output,
        Extent::Truncated => output.attribute("enrich.truncated", true),
    }
}
