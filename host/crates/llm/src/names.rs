//! Which alias a request means.

use std::collections::BTreeMap;

use gristmill_core::model::{ChatFailure, printable};

/// The alias of a request that names none, if there are several.
const DEFAULT_ALIAS: &str = "default";

/// The alias that a request asks for, with what is known by its name.
///
/// # Errors
/// Denied, if there is none.
pub(crate) fn find<'a, T>(
    by_name: &'a BTreeMap<String, T>,
    asked: Option<&str>,
) -> Result<(&'a str, &'a T), ChatFailure> {
    let found = match asked {
        Some(name) => by_name.get_key_value(name),
        None if by_name.len() == 1 => by_name.first_key_value(),
        None => by_name.get_key_value(DEFAULT_ALIAS),
    };
    if let Some((name, alias)) = found {
        return Ok((name, alias));
    }
    let known = match by_name.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "none is configured; add one as [models.NAME]".to_owned(),
        names => format!("configured: {names}"),
    };
    Err(ChatFailure::Denied(match asked {
        Some(name) => format!("there is no model {:?}; {known}", printable(name)),
        None => format!("the request names no model, and none is called {DEFAULT_ALIAS:?}; {known}"),
    }))
}
