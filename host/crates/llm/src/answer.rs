//! Finds the JSON document in an answer: models think aloud, explain what they do, put fences around it and leave commas
//! behind. Pure.
//!
//! Only what can be read in one way is read. A document that was cut off is never completed, nor is a part of one taken
//! for the whole.

use std::borrow::Cow;

use serde_json::Value;

/// How many documents an answer may hold; with more there is no telling which one was meant.
const MOST_DOCUMENTS: usize = 8;
/// How models that think aloud begin and end it.
const THINKING: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// One document, as it stands in the answer or mended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) value: Value,
}

/// A text answer without a byte order mark and without the thinking that it begins with, if that ends.
pub(crate) fn without_thinking(text: &str) -> &str {
    let mut rest = text.trim_start_matches('\u{feff}');
    while THINKING.iter().any(|(begin, _)| rest.trim_start().starts_with(begin)) {
        let Some(behind) = behind_thinking(rest) else { break };
        rest = behind.trim_start();
    }
    rest
}

/// Whether a model has said nothing yet: its answer is empty, or still thinking.
pub(crate) fn is_silent(text: &str) -> bool {
    spoken(text).is_none_or(str::is_empty)
}

/// The documents that an answer holds, at least one: the answer itself, or else all objects and arrays in it.
///
/// # Errors
/// What is wrong with it, without its words: it is empty, cut off, still thinking, or holds no document.
pub(crate) fn documents(text: &str) -> Result<Vec<Document<'_>>, String> {
    let said = spoken(text).ok_or("the answer ends while the model is still thinking")?;
    if said.is_empty() {
        return Err("the answer is empty".into());
    }
    let fault = match read(said) {
        Ok(document) => return Ok(vec![document]),
        Err(fault) => fault,
    };
    let inside = without_fence(said);
    if let Ok(document) = read(inside).or_else(|_| mended(inside)) {
        return Ok(vec![document]);
    }
    match search(said) {
        Some(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("the answer is not one JSON document: {fault}")),
    }
}

/// The object or array that an answer is, with nothing around it but a fence, and nothing mended: it is complete even if
/// the answer was cut off behind it.
pub(crate) fn complete(text: &str) -> Option<Document<'_>> {
    let said = spoken(text)?;
    let document = read(said).or_else(|_| read(without_fence(said))).ok()?;
    (document.value.is_object() || document.value.is_array()).then_some(document)
}

fn read(text: &str) -> Result<Document<'_>, serde_json::Error> {
    Ok(Document { value: serde_json::from_str(text)?, text: text.into() })
}

fn mended(text: &str) -> Result<Document<'static>, serde_json::Error> {
    let text = mend(text);
    Ok(Document { value: serde_json::from_str(&text)?, text: text.into() })
}

/// What the model says when it is done thinking. `None` if it is not. Templates that begin the thinking themselves leave
/// only its end in the answer. An answer that begins as a document is data, whatever tags are in it.
fn spoken(text: &str) -> Option<&str> {
    let mut rest = bare(text);
    loop {
        let thinks = THINKING.iter().any(|(begin, _)| rest.starts_with(begin));
        let is_data = rest.starts_with(['{', '[', '"', '`']);
        rest = match behind_thinking(rest) {
            Some(behind) if !is_data => bare(behind),
            None if thinks => return None,
            _ => return Some(rest),
        };
    }
}

/// What follows the first end of thinking.
fn behind_thinking(text: &str) -> Option<&str> {
    let ends = THINKING.iter().filter_map(|(_, end)| Some((text.find(end)?, end.len())));
    let (at, length) = ends.min()?;
    Some(&text[at + length..])
}

/// Without white space and byte order marks around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

fn without_fence(text: &str) -> &str {
    let Some(inside) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else {
        return text;
    };
    bare(inside.strip_prefix("json").or_else(|| inside.strip_prefix("JSON")).unwrap_or(inside))
}

/// All objects and arrays in a text, outermost only. `None` if something in it begins like one and is none, never ends,
/// or if there are too many.
fn search(text: &str) -> Option<Vec<Document<'_>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(['{', '[']) {
        let from = &rest[begin..];
        let end = extent(from)?;
        let part = &from[..end];
        match read(part).or_else(|_| mended(part)) {
            Ok(_) if found.len() == MOST_DOCUMENTS => return None,
            Ok(document) => found.push(document),
            // A broken document: what else is there may be only an example.
            Err(_) if part.contains(['"', '\'', ':']) => return None,
            Err(_) => {}
        }
        rest = &from[end..];
    }
    Some(found)
}

/// The length of what begins with a bracket, up to the bracket that closes it; those in strings do not count. `None` if it
/// is cut off.
fn extent(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut place = Place::Outside;
    for (at, byte) in text.bytes().enumerate() {
        if place == Place::Outside {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(at + 1);
            }
        }
        place = place.behind(byte);
    }
    None
}

/// Where a byte of a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InString,
    /// Right behind a backslash in a string.
    Escaped,
}

impl Place {
    fn behind(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Outside, b'"') | (Self::Escaped, _) => Self::InString,
            (Self::InString, b'\\') => Self::Escaped,
            (Self::Outside, _) | (Self::InString, b'"') => Self::Outside,
            (Self::InString, _) => Self::InString,
        }
    }
}

/// Takes the comma away that follows the last member or element, and escapes line breaks and other control characters in
/// strings: neither can mean anything else.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut place = Place::Outside;
    // What the last comma follows, if it may go.
    let mut before = '\0';
    for (at, character) in text.char_indices() {
        match place {
            Place::Outside if character == ',' => {
                let behind = text[at + 1..].trim_start();
                let follows_nothing = matches!(before, '\0' | ',' | '{' | '[' | ':');
                if follows_nothing || !behind.starts_with(['}', ']']) {
                    mended.push(',');
                }
            }
            Place::InString if character < ' ' => {
                mended.push_str(&escaped(character));
            }
            _ => mended.push(character),
        }
        if !character.is_whitespace() {
            before = character;
        }
        // Bytes of longer characters are neither quotation marks nor backslashes.
        place = place.behind(u8::try_from(character).unwrap_or(b'x'));
    }
    mended
}

fn escaped(control: char) -> Cow<'static, str> {
    match control {
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        other => format!("\\u{:04x}", u32::from(other)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(answer: &str) -> Result<Vec<String>, String> {
        Ok(documents(answer)?.into_iter().map(|document| document.text.into_owned()).collect())
    }

    /// The only document of an answer. `None` if there is none, or more than one.
    fn one(answer: &str) -> Option<String> {
        texts(answer).ok().filter(|found| found.len() == 1)?.pop()
    }

    const DOCUMENT: &str = r#"{"a": [1, "}"], "b": {"c": "it said \"]\""}}"#;

    #[test]
    fn a_document_is_found_whatever_stands_around_it() {
        for answer in [
            "@",
            " \n@\n",
            "\u{feff}@",
            "```json\n@\n```",
            "```JSON\n@```",
            "```\n@\n```\n",
            "Here is the JSON:\n@",
            "Here it is:\n\n```json\n@\n```",
            "```json\n@\n```\nI hope that helps.",
            "Sure! @ Anything else?",
            "I filled in [name] and {date}: @",
            "```json\n@",
            "<think>\n\n</think>\n\n@",
            "<think>Perhaps {\"a\": 0}?</think>@",
            "<thinking>{\"a\"</thinking>\n```json\n@\n```",
            "It asks for {\"a\": … so I say\n</think>\n@",
            "<think>one</think><think>two</think>@",
            "\u{feff}<think>x</think>\u{feff}@",
        ] {
            assert_eq!(one(&answer.replace('@', DOCUMENT)).as_deref(), Some(DOCUMENT), "{answer}");
        }
    }

    #[test]
    fn tags_and_fences_in_a_string_are_data() {
        for document in [r#"{"a": "<think>x</think>"}"#, r#"{"a": "</think>"}"#, r#"{"a": "```json\n{}\n```"}"#] {
            assert_eq!(one(document).as_deref(), Some(document));
        }
    }

    #[test]
    fn a_cut_or_broken_answer_is_not_completed_and_no_part_of_it_is_taken() {
        for answer in [
            "",
            "{\"a\": {\"b\": 1}",
            "Here: {\"a\": {\"b\": 1}, \"c\": ",
            "Here: [{\"a\": 1}, {\"a\": 2}",
            "{\"a\": 1, \"b\": \"half of i",
            "```json\n{\"a\": 1,\n```",
            "{\"a\": 1, b: {\"c\": 1}}",
            "For example {\"a\": 1}. The answer: {'a': 2}",
            "For example {\"a\": 1}. The answer: {\"a\": 2, \"b\": {",
            "<think>Perhaps {\"a\": 1}",
            "I do not know.",
            "{\"a\": NaN}",
            "{\"a\": \"\\ud800\"}",
            "{\"a\": 1,,}",
            "[,]",
        ] {
            assert_eq!(one(answer), None, "{answer}");
        }
    }

    #[test]
    fn several_documents_are_all_found_up_to_a_bound() {
        assert_eq!(texts("{} {}"), Ok(vec!["{}".into(), "{}".into()]));
        assert_eq!(texts("The schema {\"type\": \"object\"} wants [1]").unwrap().len(), 2);
        assert_eq!(texts(&"{} ".repeat(MOST_DOCUMENTS)).unwrap().len(), MOST_DOCUMENTS);
        assert!(texts(&"{} ".repeat(MOST_DOCUMENTS + 1)).is_err());
    }

    #[test]
    fn commas_too_many_and_control_characters_in_strings_are_mended() {
        for (answer, expected) in [
            (r#"{"a": [1, 2, ], "b": 3,}"#, r#"{"a": [1, 2 ], "b": 3}"#),
            ("{\"a\": \"one\ntwo\tthree\u{1}\",\n}", "{\"a\": \"one\\ntwo\\tthree\\u0001\"\n}"),
            ("Look: {\"a\": \",}\",} there", "{\"a\": \",}\"}"),
            ("```json\n{\"a\": \"é\\\",\",}\n```", "{\"a\": \"é\\\",\"}"),
        ] {
            assert_eq!(one(answer).as_deref(), Some(expected), "{answer}");
        }
    }

    #[test]
    fn only_a_whole_object_or_array_is_complete() {
        assert!(complete("{\"a\": 1}\n").is_some());
        assert!(complete("```json\n[1]\n```").is_some());
        for answer in ["12", "\"a\"", "{\"a\": 1,}", "Here: {\"a\": 1}", "{\"a\": 1} {\"a\"", "<think>{}", ""] {
            assert_eq!(complete(answer), None, "{answer}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_words_of_the_answer() {
        for (answer, expected) in [
            ("", "the answer is empty"),
            (" \u{feff}\n", "the answer is empty"),
            ("<think>about Jane", "the answer ends while the model is still thinking"),
            ("Jane Roe", "the answer is not one JSON document: expected value at line 1 column 1"),
        ] {
            assert_eq!(texts(answer), Err(expected.into()), "{answer}");
        }
    }

    #[test]
    fn a_text_loses_its_mark_and_the_thinking_at_its_start_only() {
        for (answer, expected) in [
            ("\u{feff}hello", "hello"),
            ("<think>hm</think>\n\nhello <think>", "hello <think>"),
            ("\n<think>hm</think>hello", "hello"),
            ("<think>hello", "<think>hello"),
            ("say </think> hello", "say </think> hello"),
            (" ```json", " ```json"),
        ] {
            assert_eq!(without_thinking(answer), expected, "{answer}");
        }
    }

    #[test]
    fn a_model_that_has_only_thought_is_silent() {
        for (answer, silent) in [
            ("", true),
            (" \u{feff}\n", true),
            ("<think>about Jane", true),
            ("<think>hm</think>\n", true),
            ("<think>hm</think>hello", false),
            ("hello", false),
            ("{\"a\": \"</think>\"", false),
        ] {
            assert_eq!(is_silent(answer), silent, "{answer}");
        }
    }

    #[test]
    fn a_large_answer_full_of_brackets_takes_no_time() {
        for answer in ["[".repeat(1 << 20), "{\"a\":[".repeat(1 << 18), "{x} ".repeat(1 << 18), "[\"".repeat(1 << 19)] {
            assert_eq!(one(&answer), None);
        }
        assert_eq!(one(&format!("{}1{}", "[".repeat(500), "]".repeat(500))), None, "too deep");
    }
}
