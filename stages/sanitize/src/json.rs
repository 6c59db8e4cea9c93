//! Rewrites some of the values in a JSON text. The document is never re-serialised: new strings replace old ones in the
//! text, so order, spacing, the notation of numbers and repeated names stay the same byte for byte.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::IgnoredAny;

use crate::context::Context;
use crate::literal::{decoded, string_end};
use crate::names::Names;
use crate::pointer::{Scope, Step};
use crate::rewrite::Rewrite;
use crate::selection::{Scopes, Selection};
use crate::siblings::{self, Sibling};

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

/// What a value is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The name of a member.
    Name,
    String,
    /// Digits only.
    Number,
    /// Another number, or a truth value.
    Other,
}

/// One value, and what is around it.
pub(crate) struct Value<'v> {
    pub(crate) text: &'v str,
    pub(crate) form: Form,
    pub(crate) context: &'v Context,
    /// Whether it is replaced whatever it holds.
    pub(crate) always: bool,
    /// The JSON Pointer to it.
    pub(crate) pointer: &'v dyn Fn() -> String,
}

/// A container that is open at the current position.
struct Open {
    scopes: Scopes,
    context: Context,
    place: Place,
    /// The names in it that were changed, and how often: two must not become one.
    renamed: BTreeMap<String, u32>,
    /// What a member of it says about another one; `None` as long as nobody asked.
    told: Option<Context>,
}

/// The current place in a container.
enum Place {
    Element(usize),
    /// The next string is a name.
    Name,
    /// The next value belongs to the name just read.
    Member {
        scopes: Scopes,
        context: Context,
        /// Where its literal stands.
        name: Range<usize>,
        sibling: Sibling,
    },
}

/// Rewrites the values that are selected: `rewritten` gets each and answers with the text of a string in its place. Several
/// documents may have their `names` in common.
pub(crate) fn rewrite<'t>(
    text: &'t str,
    selection: Selection<'_>,
    names: &mut Names,
    mut rewritten: impl FnMut(Value<'_>) -> Option<String>,
) -> Result<Cow<'t, str>, Invalid> {
    // Checked as a whole first, so that the loop below can rely on the grammar.
    serde_json::from_str::<IgnoredAny>(text)?;

    let bytes = text.as_bytes();
    let mut rewrite = Rewrite::new(text);
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            bracket @ (b'{' | b'[') => {
                let (scopes, context) = here(&open, selection);
                let place = if bracket == b'{' { Place::Name } else { Place::Element(0) };
                open.push(Open { scopes, context, place, renamed: BTreeMap::new(), told: None });
            }
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                if let Some(container) = open.last_mut() {
                    container.place = match container.place {
                        Place::Element(index) => Place::Element(index + 1),
                        Place::Name | Place::Member { .. } => Place::Name,
                    };
                }
            }
            b'"' => {
                let end = string_end(bytes, at);
                if open.last().is_some_and(|container| matches!(container.place, Place::Name)) {
                    if let Some(new) = name(text, &mut open, selection, at..end, names, &mut rewritten)? {
                        rewrite.replace(at..end, &new);
                    }
                } else {
                    let (scopes, mut context) = here(&open, selection);
                    if scopes.is_inside() {
                        let value = decoded(&text[at..end]).ok_or_else(|| half_a_pair(at))?;
                        if let Some(told) = told(text, &mut open, &value, end) {
                            context = told;
                        }
                        let always = scopes.always == Scope::Inside;
                        let pointer = || pointer(text, &open);
                        let value =
                            Value { text: &value, form: Form::String, context: &context, always, pointer: &pointer };
                        if let Some(new) = rewritten(value) {
                            rewrite.replace(at..end, &serde_json::to_string(&new)?);
                        }
                    }
                }
                at = end;
                continue;
            }
            b'-' | b'0'..=b'9' | b't' | b'f' => {
                let rest = &bytes[at..];
                let length = rest
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
                    .count();
                let (scopes, mut context) = here(&open, selection);
                if scopes.is_inside() {
                    let literal = &text[at..at + length];
                    if let Some(told) = told(text, &mut open, literal, at + length) {
                        context = told;
                    }
                    let form = if rest[..length].iter().all(u8::is_ascii_digit) { Form::Number } else { Form::Other };
                    let always = scopes.always == Scope::Inside;
                    let pointer = || pointer(text, &open);
                    let value = Value { text: literal, form, context: &context, always, pointer: &pointer };
                    if let Some(new) = rewritten(value) {
                        rewrite.replace(at..at + length, &serde_json::to_string(&new)?);
                    }
                }
                at += length;
                continue;
            }
            // "null" is nothing to hide.
            b'n' => {
                at += "null".len();
                continue;
            }
            // White space and colons.
            _ => {}
        }
        at += 1;
    }
    Ok(rewrite.finish())
}

/// Reads the name of a member, and returns what to write in its place.
fn name(
    text: &str,
    open: &mut [Open],
    selection: Selection<'_>,
    literal: Range<usize>,
    names: &mut Names,
    rewritten: &mut impl FnMut(Value<'_>) -> Option<String>,
) -> Result<Option<String>, serde_json::Error> {
    let decoded = decoded(&text[literal.clone()]);
    let pointer = || pointer(text, open);
    let (new, place) = {
        let Some(container) = open.last() else { return Ok(None) };
        // Half of a surrogate pair: no pointer can name it, but "*" matches it.
        let name = decoded.as_deref().unwrap_or("\u{fffd}");
        let scopes = match container.scopes.is_settled() {
            true => container.scopes.clone(),
            false => container.scopes.child(selection, Step::Key(name)),
        };
        let value =
            Value { text: name, form: Form::Name, context: &Context::default(), always: false, pointer: &pointer };
        let new = if container.scopes.fields == Scope::Inside { rewritten(value) } else { None };
        let (context, sibling) = match scopes.is_inside() {
            true => names.of(name, &container.context),
            false => (Context::default(), Sibling::of_name(name)),
        };
        (new, Place::Member { scopes, context, name: literal, sibling })
    };
    let Some(container) = open.last_mut() else { return Ok(None) };
    container.place = place;
    let Some(new) = new else { return Ok(None) };
    let mut unique = new.clone();
    while container.renamed.contains_key(&unique) {
        let count = container.renamed.entry(new.clone()).or_insert(1);
        *count += 1;
        unique = format!("{new}_{count}");
    }
    container.renamed.insert(unique.clone(), 1);
    serde_json::to_string(&unique).map(Some)
}

/// What another member says about the value at the current position, which ends at `end`. If the value tells something
/// itself, that is remembered.
fn told(text: &str, open: &mut [Open], value: &str, end: usize) -> Option<Context> {
    let container = open.last_mut()?;
    let Place::Member { sibling, .. } = &container.place else { return None };
    match sibling {
        Sibling::Plain => None,
        Sibling::Telling => {
            let told = siblings::told_by(value);
            if told.label.is_some() && container.told.as_ref().is_none_or(|told| told.label.is_none()) {
                container.told = Some(told);
            }
            None
        }
        Sibling::Told => {
            let told = container.told.get_or_insert_with(|| siblings::after(text, end));
            (told.label.is_some() && siblings::fits(told, value)).then(|| told.clone())
        }
    }
}

/// The scopes and the context of a value that begins at the current position.
fn here(open: &[Open], selection: Selection<'_>) -> (Scopes, Context) {
    match open.last() {
        None => (Scopes::of_document(selection), Context::default()),
        Some(Open { scopes, context, place: Place::Element(index), .. }) => {
            (scopes.child(selection, Step::Index(*index)), context.clone())
        }
        Some(Open { place: Place::Member { scopes, context, .. }, .. }) => (scopes.clone(), context.clone()),
        // The grammar allows no value in the place of a name.
        Some(Open { place: Place::Name, .. }) => (Scopes::outside(), Context::default()),
    }
}

/// The JSON Pointer to the current position.
fn pointer(text: &str, open: &[Open]) -> String {
    let mut pointer = String::new();
    for container in open {
        match &container.place {
            Place::Element(index) => pointer.push_str(&format!("/{index}")),
            Place::Member { name, .. } => {
                pointer.push('/');
                let name = decoded(&text[name.clone()]).unwrap_or(Cow::Borrowed("\u{fffd}"));
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Place::Name => {}
        }
    }
    pointer
}

fn half_a_pair(at: usize) -> Invalid {
    Invalid { reason: format!("the string at byte {at} is not Unicode: half of a surrogate pair") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::Pointer;

    fn rewrite<'t>(
        text: &'t str,
        selection: Selection<'_>,
        rewritten: impl FnMut(Value<'_>) -> Option<String>,
    ) -> Result<Cow<'t, str>, Invalid> {
        super::rewrite(text, selection, &mut Names::default(), rewritten)
    }

    const ALL: Selection<'_> = Selection { fields: &[], always: &[] };

    fn upper(text: &str, fields: &[&str]) -> String {
        let pointers: Vec<Pointer> = fields.iter().map(|field| Pointer::parse(field).unwrap()).collect();
        let upper = |value: Value<'_>| (value.form == Form::String).then(|| value.text.to_uppercase());
        rewrite(text, Selection { fields: &pointers, always: &[] }, upper).unwrap().into_owned()
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
        assert_eq!(rewrite(text, ALL, |_| None).unwrap(), text);
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
            let invalid = rewrite(text, ALL, |_| None).unwrap_err();
            assert!(!invalid.reason.contains("secret"), "{}", invalid.reason);
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_rejected_only_where_it_must_be_read() {
        let text = r#"{"a":"\ud800","b":"x"}"#;
        assert!(rewrite(text, ALL, |_| None).is_err());
        assert_eq!(upper(text, &["/b"]), r#"{"a":"\ud800","b":"X"}"#);
    }

    #[test]
    fn names_numbers_and_what_is_always_replaced_are_handed_over() {
        let always = [Pointer::parse("/c").unwrap()];
        let mut seen = Vec::new();
        let text = r#"{"a":123,"b":[-1,true,null],"c":{"d":1.5}}"#;
        let _ = rewrite(text, Selection { fields: &[], always: &always }, |value| {
            seen.push(format!("{:?} {} {} {}", value.form, value.text, value.always, (value.pointer)()));
            None
        });
        assert_eq!(
            seen,
            [
                "Name a false ",
                "Number 123 false /a",
                "Name b false ",
                "Other -1 false /b/0",
                "Other true false /b/1",
                "Name c false ",
                "Name d false /c",
                "Other 1.5 true /c/d",
            ]
        );
    }

    #[test]
    fn names_that_become_equal_are_numbered() {
        let clean =
            rewrite(r#"{"a":1,"b":2,"c":3}"#, ALL, |value| (value.form == Form::Name).then(|| "x".to_owned())).unwrap();
        assert_eq!(clean, r#"{"x":1,"x_2":2,"x_3":3}"#);
    }

    #[test]
    fn the_names_above_a_value_are_its_context() {
        let mut seen = Vec::new();
        let _ = rewrite(r#"{"phone":{"number":"1"},"mobile":["2",3],"id":"4"}"#, ALL, |value| {
            if value.form != Form::Name {
                seen.push(value.context.label.is_some_and(crate::pii::Label::is_personal));
            }
            None
        });
        assert_eq!(seen, [true, true, true, false]);
    }
}
