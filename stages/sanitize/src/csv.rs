//! Rewrites the cells of a table in CSV. Only cells that change are written anew, so everything else stays byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use crate::context::Context;
use crate::pointer::{Pointer, Scope, Step};
use crate::rewrite::Rewrite;
use crate::siblings;

/// One cell, and what is around it.
pub(crate) struct Cell<'c> {
    pub(crate) text: &'c str,
    pub(crate) context: &'c Context,
    /// Whether it is replaced whatever it holds.
    pub(crate) always: bool,
    /// The number of the row, from 0 for the header.
    pub(crate) row: usize,
    /// The name of its column, or its number.
    pub(crate) column: &'c str,
}

/// A column, by its header.
struct Column {
    name: String,
    context: Context,
    inside: bool,
    always: bool,
    /// Whether another column says what it holds.
    told: bool,
}

/// Rewrites the cells of the selected columns; in the header, names that are data themselves.
pub(crate) fn rewrite<'t>(
    text: &'t str,
    fields: &[Pointer],
    always: &[Pointer],
    mut rewritten: impl FnMut(Cell<'_>) -> Option<String>,
) -> Cow<'t, str> {
    let delimiter = delimiter(text);
    let mut rewrite = Rewrite::new(text);
    let mut columns: Vec<Column> = Vec::new();
    let nothing = Context::default();
    let (mut row, mut place) = (0, 0);
    let (mut telling, mut any_told) = (None, false);
    let mut told = None;
    let mut at = 0;
    while at < text.len() {
        // Where a column says what another one holds, each row has its own context.
        if let (0, 1.., Some(telling)) = (place, row, telling)
            && any_told
        {
            told = nth_cell(text, at, delimiter, telling).map(|cell| siblings::told_by(&cell));
        }
        let (range, end) = cell(text, at, delimiter);
        let value = unquoted(&text[range.clone()]);
        let new = if row == 0 {
            let selected = |pointers: &[Pointer]| {
                let named = Scope::of_document(pointers).child(pointers, Step::Key(value.trim()));
                named == Scope::Inside
                    || Scope::of_document(pointers).child(pointers, Step::Index(place)) == Scope::Inside
            };
            let column = Column {
                name: value.trim().to_owned(),
                context: Context::of_field(value.trim()),
                inside: selected(fields),
                always: !always.is_empty() && selected(always),
                told: siblings::is_told(value.trim()),
            };
            any_told |= column.told;
            if telling.is_none() && siblings::is_telling(value.trim()) {
                telling = Some(place);
            }
            columns.push(column);
            rewritten(Cell { text: &value, context: &nothing, always: false, row, column: &place.to_string() })
        } else {
            match columns.get(place) {
                Some(column) if column.inside || column.always => rewritten(Cell {
                    text: &value,
                    context: match &told {
                        Some(told) if column.told && siblings::fits(told, &value) && column.context.label.is_none() => {
                            told
                        }
                        _ => &column.context,
                    },
                    always: column.always,
                    row,
                    column: &column.name,
                }),
                Some(_) => None,
                None => {
                    rewritten(Cell { text: &value, context: &nothing, always: false, row, column: &place.to_string() })
                }
            }
        };
        if let Some(new) = new {
            rewrite.replace(range, &quoted(&new, delimiter));
        }
        let bytes = text.as_bytes();
        match bytes.get(end) {
            Some(byte) if *byte == delimiter => place += 1,
            Some(_) => (row, place) = (row + 1, 0),
            None => {}
        }
        at = end + 1 + usize::from(bytes.get(end..end + 2) == Some(b"\r\n"));
    }
    rewrite.finish()
}

/// The delimiter that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line.as_bytes()).count();
    [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// The range of the cell at `start`, and the position of the delimiter or line end after it.
fn cell(text: &str, start: usize, delimiter: u8) -> (Range<usize>, usize) {
    let bytes = text.as_bytes();
    let mut at = start;
    if bytes.get(at) == Some(&b'"') {
        at += 1;
        while let Some(found) = memchr::memchr(b'"', &bytes[at..]) {
            at += found + 1;
            if bytes.get(at) != Some(&b'"') {
                break;
            }
            at += 1;
        }
    }
    let end =
        memchr::memchr3(delimiter, b'\n', b'\r', &bytes[at.min(bytes.len())..]).map_or(bytes.len(), |found| at + found);
    (start..end, end)
}

/// The text of a cell of the row at `start`, by its place.
fn nth_cell(text: &str, start: usize, delimiter: u8, place: usize) -> Option<Cow<'_, str>> {
    let mut at = start;
    for _ in 0..place {
        let (_, end) = cell(text, at, delimiter);
        if text.as_bytes().get(end) != Some(&delimiter) {
            return None;
        }
        at = end + 1;
    }
    let (range, _) = cell(text, at, delimiter);
    Some(unquoted(&text[range]))
}

fn unquoted(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inner) if inner.contains("\"\"") => Cow::Owned(inner.replace("\"\"", "\"")),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(cell),
    }
}

fn quoted(value: &str, delimiter: u8) -> String {
    match value.contains([char::from(delimiter), '"', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts(text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let _ = rewrite(text, &[], &[], |cell| {
            seen.push(format!("{}:{}{}", cell.column, cell.text, if cell.context.label.is_some() { "!" } else { "" }));
            None
        });
        seen
    }

    #[test]
    fn the_header_names_what_a_column_holds() {
        assert_eq!(contexts("name,phone\nMia,123\n"), ["0:name", "1:phone", "name:Mia", "phone:123!"]);
        assert_eq!(
            contexts("name;ssn\r\n\"Lund; Mia\";\"1\"\"2\""),
            ["0:name", "1:ssn", "name:Lund; Mia", "ssn:1\"2!"]
        );
        assert_eq!(contexts("a\tphone\n\"x\ny\"\t1"), ["0:a", "1:phone", "a:x\ny", "phone:1!"]);
    }

    #[test]
    fn only_what_changes_is_written_anew() {
        let text = "a, phone\r\n\"x\",1\r\n\r\ny , 2\n";
        let upper = |cell: Cell<'_>| cell.text.contains('y').then(|| "Y,\"".to_owned());
        assert_eq!(rewrite(text, &[], &[], upper), "a, phone\r\n\"x\",1\r\n\r\n\"Y,\"\"\", 2\n");
        assert_eq!(rewrite(text, &[], &[], |_| None), text);
    }

    #[test]
    fn columns_are_selected_by_name() {
        let fields = [Pointer::parse("/b").unwrap()];
        let always = [Pointer::parse("/c").unwrap()];
        let upper = |cell: Cell<'_>| {
            (cell.row > 0).then(|| if cell.always { "*".to_owned() } else { cell.text.to_uppercase() })
        };
        assert_eq!(rewrite("a,b,c\nx,x,x\n", &fields, &always, upper), "a,b,c\nx,X,*\n");
    }
}
