//! Rewrites some of the strings in a JSON text. The document is never re-serialised: new strings replace old ones in
//! the text, so order, spacing, the notation of numbers and repeated names stay the same byte for byte.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::pointer::{Pointer, Scope, Step};
use crate::rewrite::Rewrite;

/// The text is not JSON, or a string that must be read contains half of a surrogate pair.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Where and why; contains nothing of the text.
    pub(crate) reason: String,
}

impl From<serde_json::Error> for Invalid {
    fn from(error: serde_json::Error) -> Self {
        Self { reason: error.to_string() }
    }
}

/// Whether the text is a JSON object or array.
pub(crate) fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A container that is open at the current position.
struct Open {
    scope: Scope,
    place: Place,
}

/// The current place in a container.
enum Place {
    Element(usize),
    /// The next string is a name.
    Name,
    /// The next value belongs to the name just read.
    Member(Scope),
}

/// Rewrites the string values that the pointers select; names of members are not changed.
pub(crate) fn rewrite_strings<'t>(
    text: &'t str,
    pointers: &[Pointer],
    mut rewritten: impl FnMut(&str) -> Option<String>,
) -> Result<Cow<'t, str>, Invalid> {
    // Checked as a whole first, so that the loop below can rely on the grammar.
    serde_json::from_str::<IgnoredAny>(text)?;

    let bytes = text.as_bytes();
    let mut rewrite = Rewrite::new(text);
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => open.push(Open { scope: scope_here(&open, pointers), place: Place::Name }),
            b'[' => open.push(Open { scope: scope_here(&open, pointers), place: Place::Element(0) }),
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                if let Some(container) = open.last_mut() {
                    container.place = match container.place {
                        Place::Element(index) => Place::Element(index + 1),
                        Place::Name | Place::Member(_) => Place::Name,
                    };
                }
            }
            b'"' => {
                let end = string_end(bytes, at);
                let literal = &text[at..end];
                if let Some(Open { scope, place: place @ Place::Name }) = open.last_mut() {
                    *place = Place::Member(member_scope(scope, pointers, literal));
                } else if scope_here(&open, pointers) == Scope::Inside {
                    let value: String = serde_json::from_str(literal).map_err(|_| Invalid {
                        reason: format!("the string at byte {at} is not Unicode: half of a surrogate pair"),
                    })?;
                    if let Some(new) = rewritten(&value) {
                        rewrite.replace(at..end, &serde_json::to_string(&new)?);
                    }
                }
                at = end;
                continue;
            }
            // White space, colons, numbers and literals.
            _ => {}
        }
        at += 1;
    }
    Ok(rewrite.finish())
}

/// The scope of a value that begins at the current position.
fn scope_here(open: &[Open], pointers: &[Pointer]) -> Scope {
    match open.last() {
        None => Scope::of_document(pointers),
        Some(Open { scope, place: Place::Element(index) }) => scope.child(pointers, Step::Index(*index)),
        Some(Open { place: Place::Member(scope), .. }) => scope.clone(),
        // The grammar allows no value in the place of a name.
        Some(Open { place: Place::Name, .. }) => Scope::Outside,
    }
}

/// The scope of the member with this name. The name is decoded only if pointers must be compared with it.
fn member_scope(container: &Scope, pointers: &[Pointer], literal: &str) -> Scope {
    match container {
        Scope::Inside | Scope::Outside => container.clone(),
        Scope::Above { .. } => match serde_json::from_str::<String>(literal) {
            Ok(name) => container.child(pointers, Step::Key(&name)),
            // Half of a surrogate pair: no pointer can name it, but "*" matches it.
            Err(_) => container.child(pointers, Step::Key("\u{fffd}")),
        },
    }
}

/// The end of the string literal that begins at `start`, after its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(text: &str, fields: &[&str]) -> String {
        let pointers: Vec<Pointer> = fields.iter().map(|field| Pointer::parse(field).unwrap()).collect();
        rewrite_strings(text, &pointers, |value| Some(value.to_uppercase())).unwrap().into_owned()
    }

    #[test]
    fn all_string_values_are_rewritten_but_no_names() {
        assert_eq!(
            upper(r#"{"a": "b", "c": ["d", {"e": "f"}], "g": {}}"#, &[]),
            r#"{"a": "B", "c": ["D", {"e": "F"}], "g": {}}"#
        );
        assert_eq!(upper(r#" "top" "#, &[]), r#" "TOP" "#);
    }

    #[test]
    fn only_the_selected_fields_are_rewritten() {
        let text = r#"{"a":"x","m":[{"t":"x","i":"x"},{"t":"x"}],"n":[["x"],"x"]}"#;
        assert_eq!(
            upper(text, &["/m/*/t", "/n/0", "/absent"]),
            r#"{"a":"x","m":[{"t":"X","i":"x"},{"t":"X"}],"n":[["X"],"x"]}"#
        );
    }

    #[test]
    fn numbers_spacing_order_and_repeated_names_are_unchanged() {
        let text =
            "{ \"z\" : 1.10,\t\"a\":-0, \"a\":1E+2,\n\"n\":123456789012345678901234567890, \"b\":[true,null] }\n";
        assert_eq!(upper(text, &[]), text);
    }

    #[test]
    fn untouched_strings_keep_their_escapes() {
        let text = r#"{"a":"\u00e9\/\"}]","b":"x"}"#;
        assert_eq!(upper(text, &["/b"]), r#"{"a":"\u00e9\/\"}]","b":"X"}"#);
        assert_eq!(rewrite_strings(text, &[], |_| None).unwrap(), text);
    }

    #[test]
    fn escaped_values_and_names_are_compared_unescaped() {
        assert_eq!(upper(r#"{"\u0061":"\u0062\n"}"#, &["/a"]), r#"{"a":"B\n"}"#.replace("\"a\"", "\"\\u0061\""));
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let text = format!("{}\"x\"{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(upper(&text, &[]).contains("\"X\""));
    }

    #[test]
    fn invalid_json_is_rejected_without_quoting_it() {
        for text in ["", "{", "{\"secret\":}", "[1,]", "nul", "\"a\" \"b\"", "{'a':1}"] {
            let invalid = rewrite_strings(text, &[], |_| None).unwrap_err();
            assert!(!invalid.reason.contains("secret"), "{}", invalid.reason);
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_rejected_only_where_it_must_be_read() {
        let text = r#"{"a":"\ud800","b":"x"}"#;
        assert!(rewrite_strings(text, &[], |_| None).is_err());
        assert_eq!(upper(text, &["/b"]), r#"{"a":"\ud800","b":"X"}"#);
    }
}
