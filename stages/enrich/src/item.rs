//! The content of an item: text or JSON, and the values that prompts refer to.

use gristmill_sdk::{Failure, Item};
use serde_json::error::Category;

use crate::config::{OnTooLong, Plan};
use crate::json::{Object, Pointer, is_empty, without_mark};
use crate::template::Placeholder;

/// The payload of an item, by its media type.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// Text of any kind, with or without a media type.
    Text(&'a str),
    /// A JSON object.
    Json(Object<'a>),
}

impl<'a> Body<'a> {
    /// Reads the payload.
    ///
    /// # Errors
    /// The reason to reject the item.
    pub(crate) fn read(item: &'a Item) -> Result<Self, Failure> {
        let media_type = item.media_type().unwrap_or_else(|| "text/plain".into());
        let is_json = matches!(media_type.as_str(), "application/json" | "text/json") || media_type.ends_with("+json");
        if !is_json && !media_type.starts_with("text/") {
            let message = format!("enrich reads text and JSON, not {media_type}: put `extract` before this stage");
            return Err(Failure::new("unsupported-type", message));
        }
        let text = item.text().ok_or_else(|| Failure::new("not-utf8", "the payload is not UTF-8 text"))?;
        if !is_json {
            return Ok(Self::Text(without_mark(text)));
        }
        Object::parse(text).map(Self::Json).map_err(|error| match error.classify() {
            Category::Data => {
                Failure::new("not-an-object", "the JSON item is not an object, so it has no place for answers")
            }
            // Of a syntax error serde reports the kind and the position, never a piece of the data.
            _ => Failure::new("invalid-json", format!("the payload is not JSON: {error}")),
        })
    }

    /// The text that `{{text}}` stands for.
    fn text(&self, fields: &[Pointer]) -> String {
        let document = match self {
            Self::Text(text) => return (*text).into(),
            Self::Json(object) => object.text(),
        };
        match fields {
            [] => whole(document),
            [only] => only.read(document),
            _ => {
                let values = fields.iter().map(|pointer| (pointer.label(), pointer.read(document)));
                let full = values.filter(|(_, value)| !value.trim().is_empty());
                full.map(|(label, value)| format!("{label}: {value}")).collect::<Vec<_>>().join("\n\n")
            }
        }
    }

    fn value(&self, item: &Item, placeholder: &Placeholder, fields: &[Pointer]) -> String {
        let found = match placeholder {
            Placeholder::Text => return self.text(fields),
            Placeholder::Attribute(name) => item.attribute(name).map(Into::into),
            Placeholder::Header(name) => item.header(name).map(Into::into),
            Placeholder::Json(pointer) => match self {
                Self::Json(object) => Some(pointer.read(object.text())),
                Self::Text(_) => None,
            },
        };
        found.unwrap_or_default()
    }
}

/// A document as text; one without members has none.
fn whole(document: &str) -> String {
    if is_empty(document.trim()) { String::new() } else { document.into() }
}

/// Whether the model sees the whole values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every value is complete.
    Whole,
    /// A value was cut at the limit.
    Truncated,
}

/// The value of a placeholder on one item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datum<'p> {
    /// The placeholder in the prompt.
    pub placeholder: &'p Placeholder,
    /// The item's value for it; empty if it has none.
    pub value: String,
}

/// Why there is nothing to send to a model.
#[derive(Debug, PartialEq)]
pub(crate) enum NoData {
    /// The item has no text to ask about.
    Missing(Failure),
    /// The item is to be rejected.
    Bad(Failure),
}

/// The code for an item without text.
pub(crate) const EMPTY_TEXT: &str = "empty-text";

/// Every value that the prompts refer to, once each, in the order of the prompts.
///
/// # Errors
/// Why the model cannot be asked.
pub(crate) fn collect<'p>(plan: &'p Plan, item: &Item, body: &Body) -> Result<(Vec<Datum<'p>>, Extent), NoData> {
    let limit = plan.settings.max_input_chars;
    let mut data: Vec<Datum> = Vec::new();
    let mut extent = Extent::Whole;
    let prompts = plan.system.iter().chain(plan.tasks.iter().map(|task| &task.prompt));
    for placeholder in prompts.flat_map(|prompt| prompt.placeholders()) {
        if data.iter().any(|datum| datum.placeholder == placeholder) {
            continue;
        }
        let mut value = body.value(item, placeholder, &plan.fields);
        if let Some((cut, _)) = value.char_indices().nth(limit) {
            match plan.settings.on_too_long {
                OnTooLong::Reject => return Err(NoData::Bad(too_long(placeholder, value.chars().count(), limit))),
                OnTooLong::Truncate => value.truncate(cut),
            }
            extent = Extent::Truncated;
        }
        if *placeholder == Placeholder::Text && value.trim().is_empty() {
            return Err(NoData::Missing(Failure::new(EMPTY_TEXT, "the item has no text to ask about")));
        }
        data.push(Datum { placeholder, value });
    }
    if data.iter().all(|datum| datum.value.trim().is_empty()) {
        let message = "every part of the item that the prompts refer to is empty";
        return Err(NoData::Missing(Failure::new(EMPTY_TEXT, message)));
    }
    Ok((data, extent))
}

fn too_long(placeholder: &Placeholder, length: usize, limit: usize) -> Failure {
    let message = format!(
        "`{placeholder}` has {length} characters, the limit is {limit}: raise `max_input_chars`, set `on_too_long` to \
         \"truncate\", or put `chunk` before this stage"
    );
    Failure::new("input-too-long", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn plan(mut config: serde_json::Value) -> Plan {
        if config.get("custom").is_none() {
            config["tasks"] = json!(["summary", "spam"]);
        }
        Plan::try_from(serde_json::from_value::<Config>(config).unwrap()).unwrap()
    }

    fn text_of(config: serde_json::Value, payload: &str) -> String {
        let item = Item::sample(payload, Some("application/json"));
        let plan = plan(config);
        let (data, _) = collect(&plan, &item, &Body::read(&item).unwrap()).unwrap();
        data.into_iter().next().unwrap().value
    }

    fn rejection(config: serde_json::Value, payload: &[u8], media_type: &str) -> String {
        let item = Item::sample(payload, Some(media_type));
        let plan = plan(config);
        let collected = Body::read(&item).map_err(NoData::Bad).and_then(|body| collect(&plan, &item, &body));
        match collected.unwrap_err() {
            NoData::Missing(failure) | NoData::Bad(failure) => failure.code,
        }
    }

    #[test]
    fn the_media_type_decides_how_an_item_is_read() {
        let kind = |media_type| match Body::read(&Item::sample("{}", media_type)) {
            Ok(Body::Text(_)) => "text".into(),
            Ok(Body::Json(_)) => "json".into(),
            Err(failure) => failure.code,
        };
        assert_eq!(kind(None), "text");
        assert_eq!(kind(Some("text/markdown; charset=utf-8")), "text");
        assert_eq!(kind(Some("Application/JSON")), "json");
        assert_eq!(kind(Some("text/json; charset=utf-8")), "json");
        assert_eq!(kind(Some("application/cloudevents+json")), "json");
        assert_eq!(kind(Some("application/pdf")), "unsupported-type");
    }

    #[test]
    fn an_item_that_cannot_be_read_is_rejected() {
        assert_eq!(rejection(json!({}), b"{\"a\": ", "application/json"), "invalid-json");
        assert_eq!(rejection(json!({}), b"{\"\\ud800\": 1}", "application/json"), "invalid-json");
        assert_eq!(rejection(json!({}), b"[1]", "application/json"), "not-an-object");
        assert_eq!(rejection(json!({}), b"\xff", "text/plain"), "not-utf8");
        assert_eq!(rejection(json!({}), b" \n", "text/plain"), "empty-text");
        assert_eq!(rejection(json!({}), "\u{feff}".as_bytes(), "text/plain"), "empty-text");
    }

    #[test]
    fn chosen_fields_are_labelled_and_empty_ones_left_out() {
        let config = json!({"fields": ["/subject", "/none", "/meta/to", "/nil", "/body"]});
        let payload = r#"{"body": "Dear\nall", "nil": null, "meta": {"to": ["a", 1E5]}, "subject": "Hi"}"#;
        assert_eq!(text_of(config, payload), "subject: Hi\n\nmeta/to: [\"a\", 1E5]\n\nbody: Dear\nall");
    }

    #[test]
    fn one_field_needs_no_label_and_no_field_means_the_document() {
        assert_eq!(text_of(json!({"fields": ["/body"]}), r#"{"body": "Dear\nall"}"#), "Dear\nall");
        assert_eq!(text_of(json!({}), r#"{"body": 1}"#), r#"{"body": 1}"#);
    }

    #[test]
    fn a_field_of_gathered_items_collects_the_values_of_all_of_them() {
        let payload = r#"{"items": [
            {"id": "j/sum.0", "json": {"summary": "First."}},
            {"id": "j/sum.1", "text": "no JSON"},
            {"id": "j/sum.2", "json": {"summary": "Last."}}]}"#;
        assert_eq!(text_of(json!({"fields": ["/items/*/json/summary"]}), payload), "First.\n\nLast.");
        let both = json!({"fields": ["/items/*/json/summary", "/items/*/text"]});
        assert_eq!(text_of(both, payload), "items/*/json/summary: First.\n\nLast.\n\nitems/*/text: no JSON");
    }

    #[test]
    fn fields_that_are_all_empty_reject_the_item() {
        assert_eq!(rejection(json!({"fields": ["/a", "/b"]}), br#"{"a": " "}"#, "application/json"), "empty-text");
        assert_eq!(
            rejection(json!({"fields": ["/a", "/b"]}), br#"{"a": [], "b": {}}"#, "application/json"),
            "empty-text"
        );
        assert_eq!(rejection(json!({}), b" { } ", "application/json"), "empty-text");
        let custom = json!([{"name": "risk", "prompt": "{{json:/a}}{{header:b}}", "schema": {}}]);
        assert_eq!(rejection(json!({"custom": custom}), b"{}", "application/json"), "empty-text");
        let custom = json!([{"name": "risk", "prompt": "{{json:/b}}{{text}}", "schema": {}}]);
        let payload = br#"{"a": " ", "b": "full"}"#;
        assert_eq!(rejection(json!({"custom": custom, "fields": ["/a"]}), payload, "application/json"), "empty-text");
    }

    #[test]
    fn a_value_used_by_several_tasks_is_collected_once() {
        let plan = plan(json!({}));
        let item = Item::sample("text", None);
        assert_eq!(collect(&plan, &item, &Body::Text("text")).unwrap().0.len(), 1);
    }

    #[test]
    fn text_beyond_the_limit_is_rejected_or_cut_between_characters() {
        assert_eq!(rejection(json!({"max_input_chars": 2}), "äöü".as_bytes(), "text/plain"), "input-too-long");
        let item = Item::sample("äöü", None);
        let plan_at = |limit: usize| plan(json!({"max_input_chars": limit, "on_too_long": "truncate"}));
        let (cut, whole) = (plan_at(2), plan_at(3));
        let (data, extent) = collect(&cut, &item, &Body::Text("äöü")).unwrap();
        assert_eq!((data[0].value.as_str(), extent), ("äö", Extent::Truncated));
        let (data, extent) = collect(&whole, &item, &Body::Text("äöü")).unwrap();
        assert_eq!((data[0].value.as_str(), extent), ("äöü", Extent::Whole));
    }
}
