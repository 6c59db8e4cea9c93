//! Answers made up from the document, for demos without a model: texts are its first sentences, lists of texts its
//! longest words, enumerations their first value, numbers 0.5 (integers 1) or the nearest allowed value, booleans
//! false. The same document and schema always give the same answer. The answers look real but mean nothing.

use serde_json::{Map, Value, json};

use gristmill_core::model::{ChatFailure, Format};

/// Maximum length of one text, in characters.
const LONGEST_TEXT: usize = 200;
/// Words in a list, unless the schema says otherwise.
const WORDS: usize = 3;
/// Maximum number of values in one answer: stops schemas that contain themselves.
const MOST_VALUES: u32 = 1_000;
/// Maximum nesting depth of an answer.
const DEEPEST: u32 = 8;

/// Makes up an answer in the requested format. It may not fit a schema with unusual constraints; use a rule of the
/// script for those.
pub(super) fn answer(format: &Format, message: &str) -> Result<String, ChatFailure> {
    let document = document(message);
    let mut sentences = sentences(document);
    let schema = match format {
        Format::Text => {
            sentences.truncate(2);
            return Ok(sentences.join(" "));
        }
        Format::Json => json!({"type": "object", "properties": {"summary": {"type": "string"}}}),
        Format::Schema { schema, .. } => serde_json::from_str(schema)
            .map_err(|error| ChatFailure::InvalidRequest(format!("the schema is not JSON: {error}")))?,
    };
    let mut writer = Writer { root: &schema, sentences, next: 0, words: words(document), left: MOST_VALUES };
    Ok(writer.value(&schema, 0).to_string())
}

/// The text between the first and the last line that is only a tag (`<text>`, `</text>`) or a fence (`<<<KEY text`,
/// `KEY>>>`), or else the whole message.
fn document(message: &str) -> &str {
    let (mut start, mut end, mut offset) = (None, None, 0);
    for line in message.split_inclusive('\n') {
        let tag = line.trim();
        if (tag.starts_with("</") && tag.ends_with('>')) || tag.ends_with(">>>") {
            end = Some(offset);
        } else if start.is_none() && ((tag.starts_with('<') && tag.ends_with('>')) || tag.starts_with("<<<")) {
            start = Some(offset + line.len());
        }
        offset += line.len();
    }
    match (start, end) {
        (Some(start), Some(end)) if start < end => &message[start..end],
        _ => message,
    }
}

fn sentences(document: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    for line in document.lines() {
        let line = line.trim_start_matches(['#', '-', '*', '|', ' ']);
        for sentence in line.split_inclusive(['.', '!', '?']) {
            let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
            if sentence.chars().any(char::is_alphanumeric) {
                sentences.push(sentence.chars().take(LONGEST_TEXT).collect());
            }
        }
    }
    sentences
}

/// Distinct words, longest first; words of equal length keep the order of the text.
fn words(document: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in document.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 3) {
        let word = word.to_lowercase();
        if !words.contains(&word) {
            words.push(word);
        }
        if words.len() == 200 {
            break;
        }
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words
}

struct Writer<'a> {
    root: &'a Value,
    sentences: Vec<String>,
    next: usize,
    words: Vec<String>,
    left: u32,
}

impl<'a> Writer<'a> {
    fn value(&mut self, schema: &'a Value, depth: u32) -> Value {
        if self.left == 0 || depth > DEEPEST {
            return Value::Null;
        }
        self.left -= 1;
        if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return value.clone();
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|path| self.root.pointer(path.strip_prefix('#')?)) {
            return self.value(target, depth + 1);
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            let mut parts = schema[choice].as_array().into_iter().flatten();
            if let Some(part) = parts.find(|part| part["type"] != "null") {
                return self.value(part, depth + 1);
            }
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "number" => json!(nearest(schema, 0.5)),
            // The numbers in a schema are far below 2^53.
            "integer" => json!(nearest(schema, 1.0).ceil() as i64),
            "boolean" => json!(false),
            "null" => Value::Null,
            _ => json!(self.text(schema)),
        }
    }

    fn object(&mut self, schema: &'a Value, depth: u32) -> Value {
        let mut object = Map::new();
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.value(part, depth + 1));
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &'a Value, depth: u32) -> Value {
        let bound = |name: &str| schema[name].as_u64().map(|bound| bound.min(u64::from(MOST_VALUES)) as usize);
        let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(usize::MAX));
        let items = &schema["items"];
        let is_text = items["type"] == "string" && items.get("enum").is_none() && items.get("const").is_none();
        let count = if is_text { WORDS.min(self.words.len()) } else { 1 }.max(least).min(most);
        let mut array = Vec::new();
        for index in 0..count {
            array.push(match self.words.get(index) {
                Some(word) if is_text => json!(word),
                _ => self.value(items, depth + 1),
            });
        }
        Value::Array(array)
    }

    /// The next sentence, starting over after the last.
    fn text(&mut self, schema: &Value) -> String {
        match schema["format"].as_str() {
            Some("date") => return "2000-01-01".into(),
            Some("date-time") => return "2000-01-01T00:00:00Z".into(),
            Some("email") => return "someone@example.com".into(),
            Some("uri") => return "https://example.com/".into(),
            _ => {}
        }
        let sentence = match self.sentences.len() {
            0 => "nothing",
            count => &self.sentences[self.next % count],
        };
        self.next += 1;
        let bound = |name: &str, open: usize| schema[name].as_u64().map_or(open, |bound| bound.min(10_000) as usize);
        let mut text: String = sentence.chars().take(bound("maxLength", LONGEST_TEXT)).collect();
        let missing = bound("minLength", 0).saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('.', missing));
        text
    }
}

/// The schema's type; if it has several, the first that is not null.
fn kind(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::String(kind) => Some(kind.as_str()),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    };
    match named {
        Some(kind) => kind,
        None if schema.get("properties").is_some() => "object",
        None if schema.get("items").is_some() => "array",
        None => "string",
    }
}

fn nearest(schema: &Value, wish: f64) -> f64 {
    let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
    let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
    wish.min(most).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{response, schema};
    use crate::form::Form;

    const DOCUMENT: &str =
        "Summarise this.\n<document a1>\nThe harvest was good. Mills ran all night!\n</document a1>\n";

    fn made(text: &str) -> Value {
        let format = schema(text);
        let answer = answer(&format, DOCUMENT).unwrap();
        if let Err(failure) = Form::of(&format).unwrap().check(response(&answer)) {
            panic!("{answer} does not fit {text}: {failure:?}");
        }
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn a_text_is_made_of_the_documents_first_sentences() {
        assert_eq!(answer(&Format::Text, DOCUMENT).unwrap(), "The harvest was good. Mills ran all night!");
        assert_eq!(answer(&Format::Text, "One.\nTwo. Three.").unwrap(), "One. Two.");
        assert_eq!(answer(&Format::Text, "").unwrap(), "");
    }

    #[test]
    fn only_what_is_fenced_is_the_document() {
        for fenced in
            ["The key is 3f.\n\n<<<3f text\n# Hello there.\n3f>>>", "Summarise:\n<text>\nHello there.\n</text>"]
        {
            assert_eq!(answer(&Format::Text, fenced).unwrap(), "Hello there.");
        }
    }

    #[test]
    fn an_answer_fits_the_schema_it_is_asked_for() {
        let made = made(
            r##"{"type":"object","additionalProperties":false,"required":["summary","mood","score","count","spam","tags","who"],
            "properties":{"summary":{"type":"string","maxLength":11},"mood":{"enum":["glad","sad"]},
            "score":{"type":"number","minimum":0.6},"count":{"type":["null","integer"],"minimum":3},"spam":{"type":"boolean"},
            "tags":{"type":"array","items":{"type":"string"},"maxItems":2},"day":{"type":"string","format":"date"},
            "note":{"anyOf":[{"type":"null"},{"type":"string","minLength":30}]},
            "who":{"type":"array","items":{"$ref":"#/$defs/person"},"minItems":2}},
            "$defs":{"person":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}}"##,
        );
        assert_eq!(made["summary"].as_str().map(str::len), Some(11));
        assert_eq!((&made["mood"], &made["score"], &made["count"]), (&json!("glad"), &json!(0.6), &json!(3)));
        assert_eq!(made["tags"], json!(["harvest", "mills"]));
        assert_eq!(made["who"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn the_same_document_gives_the_same_answer() {
        let text =
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"string"}}}}"#;
        assert_eq!(made(text), made(text));
    }

    #[test]
    fn a_schema_that_contains_itself_comes_to_an_end() {
        let branches: Vec<String> = (0..20).map(|n| format!(r##""{n}":{{"$ref":"#"}}"##)).collect();
        let tree = format!(r#"{{"type":"object","properties":{{{}}}}}"#, branches.join(","));
        let answer = answer(&schema(&tree), DOCUMENT).unwrap();
        assert!(answer.len() < 300_000, "{}", answer.len());
    }
}
