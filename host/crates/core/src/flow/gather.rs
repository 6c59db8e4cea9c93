//! Combines many items into one, as input for a stage with `gather = true`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::model::{DocumentId, Input, Item, ItemId};

/// The media type of gathered items: a JSON document, `{"items": [...]}`. Each item has its `id`, its `content_type`
/// and `attributes` if any, and its content: a value under `json` if it is a JSON document, `text` if it is UTF-8,
/// otherwise `base64`.
const CONTENT_TYPE: &str = "application/json";

/// The input of the stage as one item. A single one is taken out, and only its id stays.
pub(super) fn item(document: &DocumentId, stage: &str, input: &mut Input) -> Item {
    let items = match input {
        Input::Item(item) => {
            let rest = Item::common(item.id.clone(), &[]);
            return std::mem::replace(item, rest);
        }
        Input::Gathered(items) => items,
    };
    let gathered = json!({ "items": items.iter().map(entry).collect::<Vec<Value>>() });
    Item {
        payload: Bytes::from(gathered.to_string()),
        content_type: Some(CONTENT_TYPE.into()),
        ..Item::common(ItemId::gathered(document, stage), items)
    }
}

fn entry(item: &Item) -> Value {
    let mut entry = Map::new();
    entry.insert("id".into(), item.id.as_str().into());
    if let Some(content_type) = &item.content_type {
        entry.insert("content_type".into(), content_type.as_str().into());
    }
    if !item.attributes.is_empty() {
        let pair =
            |attribute: &crate::model::Attribute| (attribute.name.clone(), Value::from(attribute.value.as_str()));
        entry.insert("attributes".into(), Value::Object(item.attributes.iter().map(pair).collect()));
    }
    let (name, content) = content(item);
    entry.insert(name.into(), content);
    Value::Object(entry)
}

fn content(item: &Item) -> (&'static str, Value) {
    let subtype = item.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if (subtype.ends_with("/json") || subtype.ends_with("+json"))
        && let Ok(value) = serde_json::from_slice(&item.payload)
    {
        return ("json", value);
    }
    match std::str::from_utf8(&item.payload) {
        Ok(text) => ("text", text.into()),
        Err(_) => ("base64", STANDARD.encode(&item.payload).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attribute;

    #[test]
    fn gathered_items_are_one_json_document_in_order() {
        let document = DocumentId::named(b"d");
        let one = |ordinal, payload: &'static [u8], content_type: Option<&str>, page: &str| Item {
            id: ItemId::root(&document).child("split", ordinal),
            key: Some(Bytes::from_static(b"k")),
            payload: Bytes::from_static(payload),
            content_type: content_type.map(Into::into),
            headers: Vec::new(),
            attributes: ["source", page].map(|name| Attribute { name: name.into(), value: "x".into() }).into(),
        };
        let items = vec![
            one(0, b"{\"a\":1}", Some("application/json; charset=utf-8"), "page-1"),
            one(1, b"plain", None, "page-2"),
            one(2, b"\xff\x00", Some("image/png"), "page-3"),
        ];
        let all = item(&document, "sum", &mut Input::Gathered(items));
        assert_eq!(all.id.as_str(), "d/sum.all");
        assert_eq!(all.attributes.len(), 1, "the attributes that all have in common");
        let document: Value = serde_json::from_slice(&all.payload).unwrap();
        let expected = json!({ "items": [
            { "id": "d/split.0", "content_type": "application/json; charset=utf-8",
              "attributes": { "source": "x", "page-1": "x" }, "json": { "a": 1 } },
            { "id": "d/split.1", "attributes": { "source": "x", "page-2": "x" }, "text": "plain" },
            { "id": "d/split.2", "content_type": "image/png",
              "attributes": { "source": "x", "page-3": "x" }, "base64": "/wA=" },
        ] });
        assert_eq!(document, expected);
    }
}
