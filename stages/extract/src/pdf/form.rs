//! The fields of a form that are on no page.

use std::collections::HashSet;

use hayro_syntax::object::dict::keys::{F, KIDS, T};
use hayro_syntax::object::{Array, Dict, ObjectIdentifier, String as PdfString};

use super::annotations::INVISIBLE;
use super::field::{self, Value};
use super::strings;

/// The maximum nesting and number of fields.
const DEEPEST: usize = 16;
const MOST: usize = 10_000;

/// Names and values of the fields that have no widget among those drawn.
pub(super) fn unseen(catalog: &Dict<'_>, drawn: &HashSet<ObjectIdentifier>) -> Vec<(String, String)> {
    let form = catalog.get::<Dict<'_>>(b"AcroForm");
    let fields = form.and_then(|form| form.get::<Array<'_>>(b"Fields"));
    let mut values = Vec::new();
    let mut visited = 0;
    let mut open: Vec<(Dict<'_>, usize)> =
        fields.iter().flat_map(|fields| fields.iter::<Dict<'_>>()).map(|field| (field, 0)).collect();
    open.truncate(MOST);
    open.reverse();
    while let Some((field, depth)) = open.pop() {
        visited += 1;
        if visited > MOST {
            break;
        }
        let kids: Vec<Dict<'_>> =
            field.get::<Array<'_>>(KIDS).map(|kids| kids.iter().take(MOST).collect()).unwrap_or_default();
        if kids.is_empty() {
            let is_hidden = field.get::<u32>(F).unwrap_or(0) & INVISIBLE != 0;
            if !is_hidden
                && !field.obj_id().is_some_and(|id| drawn.contains(&id))
                && let Value::Text(value) = field::value(&field)
            {
                values.push((name(&field), value.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        } else if depth < DEEPEST {
            open.extend(kids.into_iter().rev().map(|kid| (kid, depth + 1)));
        }
    }
    values.retain(|(_, value)| !value.is_empty());
    values
}

fn name(field: &Dict<'_>) -> String {
    let parent = || field.get::<Dict<'_>>(b"Parent")?.get::<PdfString<'_>>(T);
    let name = field.get::<PdfString<'_>>(T).or_else(parent);
    name.map(|name| strings::decode(name.as_bytes())).unwrap_or_default()
}
