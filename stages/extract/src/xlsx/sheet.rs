//! The cells of a sheet, with their values as they are shown.

use quick_xml::events::{BytesStart, Event};

use super::date::Epoch;
use super::format::Formats;
use super::strings::Strings;
use crate::package::{Xml, attribute, number, reference};
use crate::reject::Reject;

/// A cell costs so much more memory than its text.
const BYTES_PER_CELL: usize = 16;

/// The columns of a sheet.
const COLUMNS: u32 = 16_384;

/// Where cells have their values from.
pub(super) struct Values<'w> {
    pub(super) strings: &'w Strings,
    pub(super) formats: &'w Formats,
    pub(super) epoch: Epoch,
}

/// A row with something in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Its number, from one.
    pub(super) number: u32,
    /// The columns, from one and in order, and their texts.
    pub(super) cells: Vec<(u32, String)>,
}

/// A merged cell: the first and last row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) rows: (u32, u32),
    pub(super) columns: (u32, u32),
}

/// A sheet without what is hidden in it.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// In order.
    pub(super) rows: Vec<Row>,
    pub(super) merged: Vec<Merged>,
    /// The most cells that there may be.
    pub(super) most_cells: usize,
}

#[derive(Debug, Default)]
struct Cell {
    column: u32,
    kind: String,
    style: usize,
    value: String,
}

/// Reads a sheet.
///
/// # Errors
/// The XML is not well-formed, or there is too much text or too many cells.
pub(super) fn read(mut xml: Xml<'_>, values: &Values<'_>, limit: usize) -> Result<Sheet, Reject> {
    let most_cells = limit / BYTES_PER_CELL + 1000;
    let mut sheet = Sheet { most_cells, ..Sheet::default() };
    let mut hidden: Vec<(u32, u32)> = Vec::new();
    let mut row = Row::default();
    let mut cell = Cell::default();
    let (mut is_row_hidden, mut in_value, mut in_reading) = (false, false, false);
    let (mut size, mut cells) = (0_usize, 0_usize);
    while let Some(event) = xml.next()? {
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "col" if is_hidden(&tag) => {
                    hidden.push((number(&tag, "min").unwrap_or(0), number(&tag, "max").unwrap_or(0)));
                    hidden.truncate(1000);
                }
                "row" => {
                    let after = row.number.saturating_add(1);
                    row = Row { number: number(&tag, "r").unwrap_or(after), cells: Vec::new() };
                    is_row_hidden = is_hidden(&tag);
                    cell.column = 0;
                }
                "c" => {
                    let place = attribute(&tag, "r").and_then(|place| place_of(&place));
                    cell = Cell {
                        column: place.map_or(cell.column.saturating_add(1), |(_, column)| column),
                        kind: attribute(&tag, "t").unwrap_or_default(),
                        style: number(&tag, "s").and_then(|style| usize::try_from(style).ok()).unwrap_or(0),
                        value: String::new(),
                    };
                }
                "v" | "t" => in_value = !in_reading,
                "rPh" => in_reading = true,
                "mergeCell" if sheet.merged.len() < most_cells => {
                    sheet.merged.extend(attribute(&tag, "ref").and_then(|range| merged(&range)))
                }
                _ => {}
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                "v" | "t" => in_value = false,
                "rPh" => in_reading = false,
                "c" if !is_row_hidden && !hidden.iter().any(|(min, max)| (*min..=*max).contains(&cell.column)) => {
                    let text = cell.shown(values);
                    if !text.trim().is_empty() && cell.column <= COLUMNS {
                        size = size.saturating_add(text.len());
                        cells += 1;
                        row.cells.push((cell.column, text));
                    }
                }
                "row" if !row.cells.is_empty() => {
                    let number = row.number;
                    row.cells.sort_by_key(|(column, _)| *column);
                    row.cells.dedup_by_key(|(column, _)| *column);
                    sheet.rows.push(std::mem::take(&mut row));
                    row.number = number;
                }
                _ => {}
            },
            Event::Text(words) if in_value => cell.value.push_str(&words.xml10_content()),
            Event::CData(words) if in_value => cell.value.push_str(&words.xml10_content()),
            Event::GeneralRef(entity) if in_value => cell.value.push_str(&reference(&entity)),
            _ => {}
        }
        if size > limit || cells > most_cells {
            return Err(Reject::TooLarge(limit));
        }
    }
    sheet.rows.sort_by_key(|row| row.number);
    sheet.rows.dedup_by_key(|row| row.number);
    Ok(sheet)
}

impl Cell {
    fn shown(&mut self, values: &Values<'_>) -> String {
        let value = std::mem::take(&mut self.value);
        match self.kind.as_str() {
            "s" => {
                let string = value.trim().parse().ok().and_then(|number| values.strings.get(number));
                string.unwrap_or_default().to_owned()
            }
            "b" => match value.trim() {
                "1" | "true" => "TRUE".to_owned(),
                "" => String::new(),
                _ => "FALSE".to_owned(),
            },
            "str" | "inlineStr" | "e" | "d" => value,
            _ if value.trim().is_empty() => String::new(),
            _ => values.formats.shown(&value, self.style, values.epoch),
        }
    }
}

fn is_hidden(tag: &BytesStart<'_>) -> bool {
    matches!(attribute(tag, "hidden").as_deref(), Some("1" | "true" | "on"))
}

/// Row and column of a reference such as "BC12".
fn place_of(place: &str) -> Option<(u32, u32)> {
    let letters = place.find(|letter: char| !letter.is_ascii_alphabetic())?;
    let (letters, row) = place.split_at(letters);
    if letters.is_empty() || letters.len() > 3 {
        return None;
    }
    let column =
        letters.bytes().fold(0, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    Some((row.parse().ok()?, column))
}

fn merged(range: &str) -> Option<Merged> {
    let (first, last) = range.split_once(':')?;
    let ((top, left), (bottom, right)) = (place_of(first)?, place_of(last)?);
    (top <= bottom && left <= right).then_some(Merged { rows: (top, bottom), columns: (left, right) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample;

    #[test]
    fn places_and_ranges_are_read() {
        assert_eq!(place_of("BC12"), Some((12, 55)));
        assert_eq!(["", "12", "A", "ABCD1"].map(place_of), [None; 4]);
        assert_eq!(merged("A1:B3"), Some(Merged { rows: (1, 3), columns: (1, 2) }));
    }

    #[test]
    fn hidden_rows_and_columns_and_empty_cells_are_left_out() {
        let part = "<worksheet><cols><col min='2' max='2' hidden='1'/></cols><sheetData><row r='1'><c r='A1'><v>1</v></c><c><v>2</v></c>\
            <c t='b'><v>1</v></c></row><row r='2' hidden='1'><c><v>9</v></c></row><row><c t='inlineStr'><is><t>in</t></is></c><c/>\
            <c t='e'><v>#N/A</v></c></row></sheetData></worksheet>";
        let values = Values { strings: &Strings::default(), formats: &Formats::default(), epoch: Epoch::Of1900 };
        let sheet = read(sample(part), &values, 1000).unwrap();
        let row = |number, cells: &[(u32, &str)]| Row {
            number,
            cells: cells.iter().map(|(column, text)| (*column, (*text).to_owned())).collect(),
        };
        assert_eq!(sheet.rows, [row(1, &[(1, "1"), (3, "TRUE")]), row(3, &[(1, "in"), (3, "#N/A")])]);
    }
}
