//! The text of an item, and the item with its vector.

use gristmill_sdk::{Failure, Item, Output};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::object::Object;

/// The code for an item without text.
pub(crate) const EMPTY_TEXT: &str = "empty-text";

/// Prefixes of the attributes that say where a text came from.
const SOURCE_PREFIXES: [&str; 2] = ["chunk.", "extract."];

/// The payload of an item, by its media type.
#[derive(Debug)]
enum Body<'a> {
    /// Text of any kind, with or without a media type.
    Text(&'a str),
    /// A JSON object.
    Json(Object<'a>),
}

/// An item whose text is known.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    item: &'a Item,
    body: Body<'a>,
    /// What is embedded, with the prefix.
    pub(crate) text: String,
}

/// Why an item has no vector.
#[derive(Debug)]
pub(crate) enum NoText {
    /// It has no text.
    Missing(Failure),
    /// It is to be rejected.
    Bad(Failure),
}

impl<'a> Subject<'a> {
    /// Finds the text of an item.
    ///
    /// # Errors
    /// Why it has none.
    pub(crate) fn read(item: &'a Item, config: &Config) -> Result<Self, NoText> {
        let bad = |code: &str, message: String| NoText::Bad(Failure::new(code, message));
        let media_type = item.media_type().unwrap_or_else(|| "text/plain".into());
        let is_json = matches!(media_type.as_str(), "application/json" | "text/json") || media_type.ends_with("+json");
        if !is_json && !media_type.starts_with("text/") {
            let message = format!("embed reads text and JSON, not {media_type}: put `extract` before this stage");
            return Err(bad("unsupported-type", message));
        }
        let payload = item.text().ok_or_else(|| bad("not-utf8", "the payload is not UTF-8 text".into()))?;
        let payload = payload.trim_start_matches('\u{feff}');
        let (body, text) = if is_json {
            // Of a syntax error serde reports the kind and the position, never a piece of the data.
            let value: Value = serde_json::from_str(payload)
                .map_err(|error| bad("invalid-json", format!("the payload is not JSON: {error}")))?;
            let object = serde_json::from_str(payload).map_err(|_| {
                bad("not-an-object", "the JSON item is not an object, so it has no place for a vector".into())
            })?;
            if config.fields.is_empty() {
                let message = "the item is JSON, and nothing says where its text is: set `fields`, as in [\"/text\"]";
                return Err(bad("no-fields", message.into()));
            }
            (Body::Json(object), texts(&value, &config.fields))
        } else {
            (Body::Text(payload), payload.to_owned())
        };
        if text.trim().is_empty() {
            return Err(NoText::Missing(Failure::new(EMPTY_TEXT, "the item has no text to embed")));
        }
        Ok(Self { item, body, text: format!("{}{text}", config.prefix) })
    }

    /// The item with its vector.
    pub(crate) fn output(&self, vector: &[f32], model: &str, config: &Config) -> Output {
        let numbers = numbers(vector);
        let output = Output::from(self.item);
        let output = match &self.body {
            Body::Json(object) => output.payload(object.with(&config.key, &numbers)),
            Body::Text(text) => {
                let mut whole = String::from("{");
                if config.include_text {
                    whole += &format!("\"text\":{},", Value::from(*text));
                }
                whole += &format!("{}:{numbers}", Value::from(config.key.as_str()));
                if let Some(source) = source(self.item).filter(|_| config.include_attributes) {
                    whole += &format!(",\"source\":{source}");
                }
                output.payload(whole + "}").content_type("application/json")
            }
        };
        output
            .attribute("embed.model", model)
            .attribute("embed.dimensions", vector.len())
            .attribute("embed.content-sha256", digest(&self.text))
    }
}

/// The item as it came, with the reason why it has no vector.
pub(crate) fn skipped(item: &Item, reason: &str) -> Output {
    Output::from(item).attribute("embed.skipped", reason)
}

/// The texts at these places, with an empty line between them; strings in lists too. What is no text is left out.
fn texts(value: &Value, fields: &[String]) -> String {
    let mut texts = Vec::new();
    for found in fields.iter().filter_map(|field| value.pointer(field)) {
        match found {
            Value::Array(elements) => texts.extend(elements.iter().filter_map(Value::as_str)),
            other => texts.extend(other.as_str()),
        }
    }
    texts.retain(|text| !text.trim().is_empty());
    texts.join("\n\n")
}

/// A vector as JSON text: each number in the fewest digits that mean it.
fn numbers(vector: &[f32]) -> String {
    let mut text = String::from("[");
    for (index, number) in vector.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text += &serde_json::to_string(number).unwrap_or_else(|_| "0.0".into());
    }
    text + "]"
}

fn source(item: &Item) -> Option<Value> {
    let known = item
        .attributes
        .iter()
        .filter(|attribute| SOURCE_PREFIXES.iter().any(|prefix| attribute.name.starts_with(prefix)));
    let object: Map<_, _> = known.map(|attribute| (attribute.name.clone(), attribute.value.clone().into())).collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
