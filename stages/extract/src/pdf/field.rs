//! The values of form fields, for forms that leave it to the reader to draw them.

use hayro_syntax::object::dict::keys::{AS, FF, FT, OPT, PARENT, V};
use hayro_syntax::object::{Array, Dict, Name, Object, String as PdfString};

use super::strings;

/// The maximum number of fields that a field inherits from.
const DEEPEST: usize = 16;
/// Flags of fields: a password, and a button that only does something.
const PASSWORD: u32 = 1 << 13;
const PUSH_BUTTON: u32 = 1 << 16;

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Checked,
    Unchecked,
    None,
}

/// The value that a widget shows.
pub(super) fn value(widget: &Dict<'_>) -> Value {
    let flags = inherited::<u32>(widget, FF).unwrap_or(0);
    match inherited::<Name<'_>>(widget, FT).as_ref().map(|kind| kind.as_ref()) {
        Some(b"Tx") if flags & PASSWORD == 0 => text(inherited::<Object<'_>>(widget, V).as_ref()),
        Some(b"Ch") => choice(widget),
        Some(b"Btn") if flags & PUSH_BUTTON == 0 => match widget.get::<Name<'_>>(AS) {
            Some(state) if state.as_ref() != b"Off" => Value::Checked,
            Some(_) => Value::Unchecked,
            None => match inherited::<Name<'_>>(widget, V) {
                Some(state) if state.as_ref() != b"Off" => Value::Checked,
                _ => Value::Unchecked,
            },
        },
        _ => Value::None,
    }
}

/// An entry of a field, or of one that it inherits from.
fn inherited<'a, T>(widget: &Dict<'a>, key: &[u8]) -> Option<T>
where
    T: TryFrom<Object<'a>>,
{
    let mut field = widget.clone();
    for _ in 0..DEEPEST {
        if let Some(value) = field.get::<Object<'a>>(key) {
            return T::try_from(value).ok();
        }
        field = field.get::<Dict<'a>>(PARENT)?;
    }
    None
}

fn text(value: Option<&Object<'_>>) -> Value {
    match value {
        Some(Object::String(text)) => Value::Text(lines(&strings::decode(text.as_bytes()))),
        Some(Object::Stream(stream)) => match stream.decoded_data() {
            Ok(text) => Value::Text(lines(&strings::decode(&text))),
            Err(_) => Value::None,
        },
        _ => Value::None,
    }
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The choices made, as the form shows them.
fn choice(widget: &Dict<'_>) -> Value {
    let chosen: Vec<String> = match inherited::<Object<'_>>(widget, V) {
        Some(Object::String(text)) => vec![strings::decode(text.as_bytes())],
        Some(Object::Array(list)) => {
            list.iter::<PdfString<'_>>().map(|text| strings::decode(text.as_bytes())).collect()
        }
        _ => return Value::None,
    };
    let options = inherited::<Array<'_>>(widget, OPT);
    let shown: Vec<String> = chosen.into_iter().map(|export| shown(options.as_ref(), export)).collect();
    Value::Text(shown.join(", "))
}

/// What an option with this value shows.
fn shown(options: Option<&Array<'_>>, export: String) -> String {
    for option in options.iter().flat_map(|list| list.iter::<Array<'_>>()) {
        let mut pair = option.iter::<PdfString<'_>>().map(|text| strings::decode(text.as_bytes()));
        if let (Some(value), Some(label)) = (pair.next(), pair.next())
            && value == export
        {
            return label;
        }
    }
    export
}
