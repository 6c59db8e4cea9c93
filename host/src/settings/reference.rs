//! The key tables of the documentation, out of the schema.
//!
//! A region `<!-- keys: [limits] -->` … `<!-- end -->` of a page holds the table of the keys that the title names, as
//! `[section]`, `[[stage]]`, a name under `$defs`, or `Enum.tag`. Rows keep the order that they have in the page; new keys come last.

use std::fmt::Write as _;

use serde_json::Value;

const BEGIN: &str = "<!-- keys: ";
const BEGIN_END: &str = " -->";
const END: &str = "<!-- end -->";

/// A page with the tables of all its regions as the schema says.
///
/// # Errors
/// A region that names nothing in the schema, or that does not end.
pub fn fill(page: &str, schema: &Value) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = page;
    while let Some((before, region)) = rest.split_once(BEGIN) {
        let (title, region) = region.split_once(BEGIN_END).ok_or("a region has no title")?;
        let (table, after) = region.split_once(END).ok_or_else(|| format!("the region {title} does not end"))?;
        let node = find(schema, title).ok_or_else(|| format!("the schema has no {title}"))?;
        let order: Vec<&str> = table.lines().filter_map(key_of_row).collect();
        let _ = write!(filled, "{before}{BEGIN}{title}{BEGIN_END}\n\n{}\n{END}", table_of(schema, node, &order));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn key_of_row(row: &str) -> Option<&str> {
    row.strip_prefix("| `")?.split('`').next()
}

/// The part of the schema that a title names.
fn find<'s>(schema: &'s Value, title: &str) -> Option<&'s Value> {
    let mut node = schema;
    for key in title.trim_matches(['[', ']']).split('.').filter(|key| !key.is_empty()) {
        let property = node.get("properties").and_then(|properties| properties.get(key));
        let definition = || schema.get("$defs").and_then(|definitions| definitions.get(key));
        let member = property.or_else(|| tagged(node, key)).or_else(definition)?;
        node = follow(schema, member);
        if let Some(items) = node.get("items") {
            node = follow(schema, items);
        }
    }
    Some(node)
}

/// The branch of a tagged enum that has this tag.
fn tagged<'s>(node: &'s Value, tag: &str) -> Option<&'s Value> {
    let is_tag = |property: &Value| text(property, "const") == Some(tag);
    node.get("oneOf")?.as_array()?.iter().find(|branch| {
        branch.get("properties").and_then(Value::as_object).is_some_and(|properties| properties.values().any(is_tag))
    })
}

fn follow<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    let reference = node.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| schema.pointer(pointer)).unwrap_or(node)
}

/// One row for each key: its default, its bounds if any key has some, and what it means.
fn table_of(schema: &Value, node: &Value, order: &[&str]) -> String {
    let properties = node.get("properties").and_then(Value::as_object);
    let mut keys: Vec<&str> = properties.into_iter().flat_map(|keys| keys.keys()).map(String::as_str).collect();
    keys.sort_by_key(|key| order.iter().position(|known| known == key).unwrap_or(order.len()));
    let mut rows = Vec::new();
    for key in keys {
        let Some(property) = properties.and_then(|properties| properties.get(key)) else { continue };
        // The tag that tells a branch apart is not a key to explain.
        if property.get("const").is_some() {
            continue;
        }
        let meaning = text(property, "description").or_else(|| text(follow(schema, property), "description"));
        let mut meaning = meaning.unwrap_or_default().replace('\n', " ");
        for (word, what) in choices(property) {
            let _ = write!(meaning, " `\"{word}\"`: {}", what.replace('\n', " "));
        }
        rows.push((key, default(node, key, property), bounds(property), meaning));
    }
    let bounded = rows.iter().any(|(_, _, bounds, _)| !bounds.is_empty());
    let mut table = match bounded {
        true => "| key | default | bounds | |\n|---|---|---|---|\n".to_owned(),
        false => "| key | default | |\n|---|---|---|\n".to_owned(),
    };
    for (key, default, bounds, meaning) in rows {
        let _ = match bounded {
            true => writeln!(table, "| `{key}` | {default} | {bounds} | {meaning} |"),
            false => writeln!(table, "| `{key}` | {default} | {meaning} |"),
        };
    }
    table
}

fn text<'v>(node: &'v Value, key: &str) -> Option<&'v str> {
    node.get(key).and_then(Value::as_str)
}

/// The words of a closed list, each with its meaning.
fn choices(property: &Value) -> Vec<(&str, &str)> {
    let branches = property.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    branches.filter_map(|branch| Some((text(branch, "const")?, text(branch, "description")?))).collect()
}

fn default(node: &Value, key: &str, property: &Value) -> String {
    let required =
        node.get("required").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(|name| name == key));
    match (text(property, "x-show"), property.get("default")) {
        _ if required => "required".to_owned(),
        (Some(shown), _) => shown.to_owned(),
        (None, Some(Value::Object(table))) if !table.is_empty() => "see below".to_owned(),
        (None, Some(value)) => format!("`{value}`"),
        (None, None) => "none".to_owned(),
    }
}

fn bounds(property: &Value) -> String {
    let bound = |own: &str, plain: &str| match text(property, own) {
        Some(bound) => Some(bound.to_owned()),
        None => property.get(plain).and_then(Value::as_f64).map(|number| number.to_string()),
    };
    match (bound("x-min", "minimum"), bound("x-max", "maximum")) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    }
}
