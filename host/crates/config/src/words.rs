//! How messages name the tables and values of a file.

use serde_json::Value;

use gristmill_core::settings::is_name;

use super::document::tokens;

/// How a table is written, for messages.
pub(super) const TABLE_FORM: &str = "write { key = value }, or a [header] and the keys below it";

/// The title of a table, by its kind, which decides how the tables below it are named.
enum Title {
    File,
    /// A table under a header: `[models.smart]`.
    Header(String),
    /// An element of an array, or below one: `target 1 of [models.smart]`.
    Inside(String),
}

/// The title of the table at a JSON Pointer: `the file`, `[retry]`, `stage "enrich"`, `limits of stage "enrich"`.
pub(super) fn title(file: &Value, pointer: &str) -> String {
    let mut title = Title::File;
    let mut value = Some(file);
    let mut array = String::new();
    for token in tokens(pointer) {
        let element = matches!(value, Some(Value::Array(_)));
        value = match value {
            Some(Value::Array(elements)) => token.parse::<usize>().ok().and_then(|index| elements.get(index)),
            Some(value) => value.get(&token),
            None => None,
        };
        if element {
            let noun = array.strip_suffix('s').unwrap_or(&array);
            let named = value.and_then(|value| value.get("name")).and_then(Value::as_str).filter(|name| is_name(name));
            let number = token.parse::<usize>().map_or(0, |index| index + 1);
            let called = match named {
                Some(name) => format!("{noun} \"{name}\""),
                None => format!("{noun} {number}"),
            };
            title = Title::Inside(match title {
                Title::File => called,
                Title::Header(owner) => format!("{called} of [{owner}]"),
                Title::Inside(owner) => format!("{called} of {owner}"),
            });
        } else if matches!(value, Some(Value::Array(_))) {
            array = token;
        } else {
            title = match title {
                Title::File => Title::Header(token),
                Title::Header(owner) => Title::Header(format!("{owner}.{token}")),
                Title::Inside(owner) => Title::Inside(format!("{token} of {owner}")),
            };
        }
    }
    match title {
        Title::File => "the file".to_owned(),
        Title::Header(header) => format!("[{header}]"),
        Title::Inside(title) => title,
    }
}

/// The name of the value at a JSON Pointer: `"attempts" in [retry]`.
pub(super) fn what(file: &Value, pointer: &str) -> String {
    let Some((owner, _)) = pointer.rsplit_once('/') else { return "the file".to_owned() };
    let key = tokens(pointer).last().unwrap_or_default();
    match file.pointer(owner) {
        Some(Value::Array(_)) => format!("an element of {}", what(file, owner)),
        _ => format!("\"{key}\" in {}", title(file, owner)),
    }
}
