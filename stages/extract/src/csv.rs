//! Comma-separated values to a Markdown table.

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use crate::document::Document;
use crate::kind::Kind;
use crate::markdown::Markdown;
use crate::reject::Reject;

/// How many lines are looked at to find the separator.
const LINES_LOOKED_AT: usize = 20;

/// Reads values that are separated by commas, semicolons, tabs or bars; `limit` bounds the table in bytes.
///
/// # Errors
/// The table exceeds the limit.
pub(crate) fn read(text: &str, limit: usize) -> Result<Document, Reject> {
    let (separator, text) = separator(text);
    let columns = columns(text, separator);
    let mut rows = rows(text, separator);
    let mut markdown = Markdown::default();
    let mut lines = String::new();
    let mut is_first = true;
    while let Some(row) = next(&mut rows) {
        if row.iter().all(String::is_empty) {
            continue;
        }
        if columns < 2 {
            lines.push_str(&row.concat());
            lines.push('\n');
        } else if is_first {
            let names = names_columns(&row);
            markdown.table_head(if names { &row } else { &[] }, columns);
            if !names {
                markdown.table_row(&row, columns);
            }
        } else {
            markdown.table_row(&row, columns);
        }
        is_first = false;
        if markdown.len().max(lines.len()) > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    let text = if columns < 2 { lines.trim_end().to_owned() } else { markdown.finish() };
    Ok(Document { text, title: None, pages: None, kind: Kind::Csv })
}

fn rows(text: &str, separator: u8) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

fn next(rows: &mut Reader<&[u8]>) -> Option<Vec<String>> {
    let mut record = StringRecord::new();
    match rows.read_record(&mut record) {
        Ok(true) => Some(record.iter().map(|value| value.trim().to_owned()).collect()),
        Ok(false) | Err(_) => None,
    }
}

/// The number of values in the longest row.
fn columns(text: &str, separator: u8) -> usize {
    let mut rows = rows(text, separator);
    let mut record = ByteRecord::new();
    let mut columns = 0;
    while let Ok(true) = rows.read_byte_record(&mut record) {
        columns = columns.max(record.len());
    }
    columns
}

/// Whether a row has names and no numbers.
fn names_columns(row: &[String]) -> bool {
    let is_number = |value: &String| {
        value.contains(|letter: char| letter.is_ascii_digit())
            && value.chars().all(|letter| letter.is_ascii_digit() || "+-.,: /%€$£".contains(letter))
    };
    // A year may be the name of a column, but only beside other names.
    let is_year = |value: &String| value.len() == 4 && value.bytes().all(|byte| byte.is_ascii_digit());
    row.iter().all(|value| !is_number(value) || is_year(value)) && !row.iter().all(is_number)
}

/// The separator, and the text without the line by which Excel declares it.
fn separator(text: &str) -> (u8, &str) {
    let text = text.trim_start_matches('\u{FEFF}');
    let first = text.lines().next().unwrap_or_default();
    if let Some([separator]) = first.strip_prefix("sep=").map(|rest| rest.trim_end().as_bytes()) {
        return (*separator, text.split_once('\n').map_or("", |(_, rest)| rest));
    }
    let mut best = (0, b',');
    for separator in [b',', b';', b'\t', b'|'] {
        let counts: Vec<usize> = text
            .lines()
            .take(LINES_LOOKED_AT)
            .filter(|line| !line.trim().is_empty())
            .map(|line| count(line, separator))
            .collect();
        let least = counts.iter().min().copied().unwrap_or_default();
        let score = match least {
            0 => counts.first().copied().unwrap_or_default().min(1),
            // The same in every line: commas in numbers and words are not.
            _ => 2 * least + usize::from(counts.iter().all(|count| *count == least)),
        };
        if score > best.0 {
            best = (score, separator);
        }
    }
    (best.1, text)
}

/// How often a line has a separator outside of quotes.
fn count(line: &str, separator: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for byte in line.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> String {
        read(text, 10_000).unwrap().text
    }

    #[test]
    fn values_become_a_table() {
        assert_eq!(table("name,zip\nAnn,1100\n"), "| name | zip |\n| --- | --- |\n| Ann | 1100 |");
        assert_eq!(table("a;b\n\"x; \"\"y\"\"\nz\";1,5"), "| a | b |\n| --- | --- |\n| x; \"y\" z | 1,5 |");
        assert_eq!(table("sep=|\na|b\n1|2"), "| a | b |\n| --- | --- |\n| 1 | 2 |");
    }

    #[test]
    fn a_table_without_names_has_an_empty_head() {
        assert_eq!(table("1\t2\n3\t4"), "|  |  |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |");
    }

    #[test]
    fn one_column_is_lines_of_text() {
        assert_eq!(table("Ann\nBob\n"), "Ann\nBob");
    }

    #[test]
    fn a_large_table_is_rejected_before_it_is_written() {
        let wide = format!("{}\n{}", ",".repeat(50), "a\n".repeat(1000));
        assert_eq!(read(&wide, 10_000), Err(Reject::TooLarge(10_000)));
    }
}
