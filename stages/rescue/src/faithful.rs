//! Whether JSON says exactly what the broken text says that it was made from.

use std::str::Chars;

use crate::lenient::{is_number, unwrapped};

/// Whether a document holds what a broken text holds, no more and no less, in the same order and nesting: each name and value
/// of the document stands in the text as it is, what the text has besides is punctuation, and the brackets are those of the
/// text. Only a closing bracket may be added, where the next one closes something further out, and left out, where nothing
/// is open. What is a string stays one, and what is a number, `true`, `false` or `null` stays that. If the end of the text is
/// missing, no document is faithful to it.
///
/// `document` is JSON.
pub(crate) fn is_faithful(broken: &str, document: &str) -> bool {
    let mut rest = unwrapped(broken);
    let mut open = Vec::new();
    // The brackets of the document since its last name or value.
    let mut brackets = String::new();
    for token in Tokens(document) {
        let found = match token {
            Token::Bracket(bracket) => {
                brackets.push(bracket);
                continue;
            }
            Token::Text(text, role) => text_in(rest, &text, role),
            Token::Word(word) => past(rest, |gap, at| word_at(word, gap, at)),
        };
        let Some((gap, behind)) = found else { return false };
        if balanced(&mut open, gap) != brackets {
            return false;
        }
        brackets.clear();
        rest = behind;
    }
    rest.chars().all(is_punctuation) && balanced(&mut open, rest) == brackets
}

/// All names and values of a document, a line each, without quotes and escapes.
///
/// `document` is JSON.
pub(crate) fn contents(document: &str) -> String {
    let mut lines = String::new();
    for token in Tokens(document) {
        match &token {
            Token::Text(text, _) => lines.push_str(text),
            Token::Word(word) => lines.push_str(word),
            Token::Bracket(_) => continue,
        }
        lines.push('\n');
    }
    lines
}

/// The brackets of a part of a text, each closed that is still open where one closes that is further out, and without those
/// that close nothing. `open` has what closes the brackets that are open, before and after the part.
fn balanced(open: &mut Vec<char>, part: &str) -> String {
    let mut brackets = String::new();
    for c in part.chars() {
        match c {
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                if let Some(place) = open.iter().rposition(|close| *close == c) {
                    brackets.extend(open.drain(place..).rev());
                }
                continue;
            }
            _ => continue,
        }
        brackets.push(c);
    }
    brackets
}

/// What a document consists of.
enum Token<'a> {
    Bracket(char),
    /// A name or a string, without quotes and escapes.
    Text(String, Role),
    /// A number, `true`, `false` or `null`.
    Word(&'a str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Name,
    Value,
}

/// The tokens of a document, in order. It ends where the text is no JSON.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.0.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | ':'));
        let first = text.chars().next()?;
        let (length, token) = match first {
            '{' | '[' | '}' | ']' => (1, Token::Bracket(first)),
            '"' => {
                let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
                let string = strings.next()?.ok()?;
                let length = strings.byte_offset();
                let is_name = text.get(length..)?.trim_start().starts_with(':');
                (length, Token::Text(string, if is_name { Role::Name } else { Role::Value }))
            }
            _ => {
                let end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '}' | ']'));
                let word = text.get(..end.unwrap_or(text.len()))?;
                (word.len(), Token::Word(word))
            }
        };
        self.0 = text.get(length..)?;
        Some(token)
    }
}

/// The punctuation before the first place that `matches` accepts, and what follows that place; `None` if anything else is
/// before it. `matches` is given the punctuation and the text behind it, and returns what follows.
fn past<'a>(text: &'a str, matches: impl Fn(&str, &'a str) -> Option<&'a str>) -> Option<(&'a str, &'a str)> {
    let mut begin = 0;
    loop {
        let (gap, at) = text.split_at(begin);
        if let Some(rest) = matches(gap, at) {
            return Some((gap, rest));
        }
        let next = at.chars().next().filter(|c| is_punctuation(*c))?;
        begin += next.len_utf8();
    }
}

/// The punctuation before a name or a string, and what follows it with its closing quote. Without quotes, a value that looks
/// like a number or a word of JSON was that, and not a string.
fn text_in<'a>(rest: &'a str, text: &str, role: Role) -> Option<(&'a str, &'a str)> {
    if text.is_empty() {
        return past(rest, |_, at| ["\"\"", "''"].iter().find_map(|empty| at.strip_prefix(empty)));
    }
    let quoted = past(rest, |gap, at| gap.ends_with(is_quote).then(|| text_at(text, at))?);
    if let Some((gap, behind)) = quoted {
        return Some((gap, behind.strip_prefix(is_quote).unwrap_or(behind)));
    }
    let is_word = is_number(text) || spellings(text).is_some();
    past(rest, |_, at| text_at(text, at)).filter(|_| role == Role::Name || !is_word)
}

/// What follows a text that begins here.
fn text_at<'a>(text: &str, at: &'a str) -> Option<&'a str> {
    let mut rest = at.chars();
    text.chars().all(|c| takes(&mut rest, c)).then_some(rest.as_str())
}

/// Whether this character is next, as it is or escaped.
fn takes(rest: &mut Chars<'_>, wanted: char) -> bool {
    let mut escaped = rest.clone();
    if escaped.next() == Some('\\') && unescaped(&mut escaped) == Some(wanted) {
        *rest = escaped;
        return true;
    }
    rest.next() == Some(wanted)
}

/// The character that an escape stands for, behind its backslash.
fn unescaped(rest: &mut Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let unit = hex(rest)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return char::from_u32(unit);
            }
            let low = (rest.next() == Some('\\') && rest.next() == Some('u')).then(|| hex(rest))??;
            let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            return char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + low);
        }
        c @ ('"' | '\\' | '/' | '\'') => c,
        _ => return None,
    })
}

fn hex(rest: &mut Chars<'_>) -> Option<u32> {
    let digits = rest.as_str().get(..4)?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    *rest = rest.as_str().get(4..)?.chars();
    Some(number)
}

/// What follows a number, `true`, `false` or `null` that begins here.
fn word_at<'a>(word: &str, gap: &str, at: &'a str) -> Option<&'a str> {
    if gap.ends_with(is_quote) {
        return None;
    }
    let other = spellings(word).map(|(_, other)| other);
    let rest = [Some(word), other].into_iter().flatten().find_map(|spelling| at.strip_prefix(spelling))?;
    (!rest.starts_with(is_quote)).then_some(rest)
}

/// A word of JSON, and Python's.
fn spellings(word: &str) -> Option<(&'static str, &'static str)> {
    [("true", "True"), ("false", "False"), ("null", "None")].into_iter().find(|(json, _)| *json == word)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '„' | '‘' | '’')
}

fn is_punctuation(c: char) -> bool {
    c.is_whitespace() || is_quote(c) || matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '\\' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_document_that_says_the_same_is_faithful() {
        for (broken, document) in [
            (r#"{"say": "he said "no, never" to it"}"#, r#"{"say": "he said \"no, never\" to it"}"#),
            (r#"{"path": "C:\new\temp"}"#, r#"{"path": "C:\\new\\temp"}"#),
            (r#"{"a": [1, 2}"#, r#"{"a": [1, 2]}"#),
            (r#"{"a": 1}}"#, r#"{"a": 1}"#),
            ("{name: Ada, n: 1.50, x: None}", r#"{"name": "Ada", "n": 1.50, "x": null}"#),
            (r#"{"a": "\u00e4\ud83d\ude00", "b": "", "c": {}}"#, r#"{"a": "ä😀", "b": "", "c": {}}"#),
            ("{“a”: “b”}", r#"{"a": "b"}"#),
        ] {
            assert!(is_faithful(broken, document), "{broken}");
        }
    }

    #[test]
    fn nothing_is_added_left_out_changed_or_moved() {
        let broken = r#"{"price": 1,50, "ids": [7, "8"], "note": "a "b" c"}"#;
        let good = r#"{"price": "1,50", "ids": [7, "8"], "note": "a \"b\" c"}"#;
        assert!(is_faithful(broken, good));
        for (part, other) in [
            (r#""1,50""#, "150"),
            (r#""1,50""#, "1.50"),
            (r#""1,50""#, r#""1.50""#),
            (r#""8""#, "8"),
            ("[7", r#"["7""#),
            (r#", "8""#, ""),
            (r#""8""#, r#""8", 9"#),
            (r#"\"b\""#, r#"\"B\""#),
            (r#" c"#, ""),
            ("}", r#", "more": null}"#),
            ("}", r#", "": ""}"#),
            (r#""price": "1,50", "ids": [7, "8"]"#, r#""ids": [7, "8"], "price": "1,50""#),
            (good, "{}"),
            (r#"[7, "8"]"#, r#"{"7": "8"}"#),
            (r#"[7, "8"]"#, r#"[7, ["8"]]"#),
        ] {
            let document = good.replacen(part, other, 1);
            assert!(serde_json::from_str::<Value>(&document).is_ok_and(|_| document != good), "{document}");
            assert!(!is_faithful(broken, &document), "{document}");
        }
    }

    #[test]
    fn nothing_changes_its_place_in_the_tree() {
        let broken = r#"{"a": {"b": 1}, "c": 2, "d": "say "x""}"#;
        assert!(is_faithful(broken, r#"{"a": {"b": 1}, "c": 2, "d": "say \"x\""}"#));
        assert!(!is_faithful(broken, r#"{"a": {"b": 1, "c": 2}, "d": "say \"x\""}"#));
        // Where the bracket belongs is a guess.
        let broken = r#"{"a": {"b": 1, "c": 2, "d": "say "x""}"#;
        for guess in [
            r#"{"a": {"b": 1}, "c": 2, "d": "say \"x\""}"#,
            r#"{"a": {"b": 1, "c": 2}, "d": "say \"x\""}"#,
            r#"{"a": {"b": 1, "c": 2, "d": "say \"x\""}}"#,
        ] {
            assert!(!is_faithful(broken, guess), "{guess}");
        }
    }

    #[test]
    fn a_text_without_its_end_has_no_faithful_document() {
        for broken in [
            r#"{"id": 1, "body": "The prin"#,
            r#"{"id": 1, "body": "The prin""#,
            r#"{"id": 1, "items": [{"n": 1}, {"n": 2}"#,
            r#"{"a": {"b": 1}"#,
            r#"[1, 2"#,
        ] {
            let closings = ["\"}", "}", "]}", "]", "}]}"];
            for closing in closings {
                let document = format!("{broken}{closing}");
                if serde_json::from_str::<Value>(&document).is_ok() {
                    assert!(!is_faithful(broken, &document), "{document}");
                }
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i32>().prop_map(|n| json!(n)),
            "[a-z\"\\\\, {}\n]{0,6}".prop_map(|s| json!(s)),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec(("[a-c]{1,3}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_document_is_faithful_to_itself(value in values()) {
            let text = json!([value]).to_string();
            prop_assert!(is_faithful(&text, &text), "{}", text);
        }

        #[test]
        fn no_panic_and_no_words_from_nowhere(broken in "[a-c\"\\\\:,{}\\[\\] 0-9]{0,30}") {
            let made_up = json!({"zzz": 1}).to_string();
            prop_assert!(!is_faithful(&broken, &made_up));
        }
    }
}
