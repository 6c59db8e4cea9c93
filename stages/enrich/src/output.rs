//! Where the answers go: into a JSON item, or in the place of a text item.

use gristmill_sdk::{Event, Failure, Output};
use serde_json::{Map, Value};

use crate::answer::{Answer, Totals};
use crate::config::Config;
use crate::item::{Body, Extent};
use crate::json::Object;

/// The names of attributes that say where a text came from begin with these.
const SOURCE_PREFIXES: [&str; 2] = ["chunk.", "extract."];

/// What takes the answers.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// A new JSON item instead of this text.
    Text(&'a str),
    /// This document, which may hold answers of an earlier stage.
    Json {
        /// The item.
        document: &'a Object<'a>,
        /// What it has under the key of the answers.
        earlier: Object<'a>,
    },
}

impl<'a> Target<'a> {
    /// Finds the place for the answers, before any model is asked.
    ///
    /// # Errors
    /// Why the item is to be rejected.
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
                    format!("the item has something else than an object in `{key}`: choose another `merge_under`");
                Failure::new("merge-conflict", message)
            })?,
        };
        Ok(Self::Json { document, earlier })
    }

    /// The item with its answers.
    pub(crate) fn output(&self, event: &Event, answers: &[Answer], config: &Config) -> Output {
        let answers = answers.iter().map(|answer| (answer.name.as_str(), answer.value.as_str()));
        let output = Output::from(event);
        let text = match self {
            Self::Json { document, earlier } => {
                let merged = earlier.with(answers);
                return output.payload(document.with([(config.merge_under.as_str(), merged.as_str())]));
            }
            Self::Text(text) => config.include_text.then(|| Value::from(*text).to_string()),
        };
        let source = config.include_attributes.then(|| source(event)).flatten();
        let rest = [("text", &text), ("source", &source)];
        let rest = rest.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        output.payload(Object::default().with(answers.chain(rest))).content_type("application/json")
    }
}

/// The attributes that say where a text came from, as a JSON object; `None` if it has none.
fn source(event: &Event) -> Option<String> {
    let attributes = event.attributes.iter();
    let known = attributes.filter(|attribute| SOURCE_PREFIXES.iter().any(|prefix| attribute.name.starts_with(prefix)));
    let object: Map<_, _> = known.map(|attribute| (attribute.name.clone(), attribute.value.clone().into())).collect();
    (!object.is_empty()).then(|| Value::Object(object).to_string())
}

/// The output with attributes that say how it came about.
pub(crate) fn marked(output: Output, totals: &Totals, extent: Extent) -> Output {
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
