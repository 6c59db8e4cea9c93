//! Comma-separated values to a Markdown table.

use csv::{ReaderBuilder, StringRecord};

use crate::document::Document;
use crate::kind::Kind;
use crate::markdown::{self, Markdown};
use crate::reject::Reject;

/// How many lines are looked at to find the separator.
const LINES_LOOKED_AT: usize = 20;

/// Reads values that are separated by commas, semicolons, tabs or bars; `limit` bounds the table in bytes.
///
/// # Errors
/// The table exceeds the limit.
pub(crate) fn read(text: &str, limit: usize) -> Result<Document, Reject> {
    let (separator, text) = separator(text);
    let mut reader =
        ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (mut bytes, mut columns) = (0_usize, 0);
    let mut record = StringRecord::new();
    while let Ok(true) = reader.read_record(&mut record) {
        let row: Vec<String> = record.iter().map(|value| value.trim().to_owned()).collect();
        bytes += row.iter().map(String::len).sum::<usize>();
        columns = columns.max(row.len());
        if bytes.saturating_add(markdown::marks(rows.len(), columns)) > limit {
            return Err(Reject::TooLarge(limit));
        }
        if row.iter().any(|value| !value.is_empty()) {
            rows.push(row);
        }
    }
    Ok(Document { text: write(rows), title: None, pages: None, kind: Kind::Csv })
}

fn write(mut rows: Vec<Vec<String>>) -> String {
    if rows.iter().all(|row| row.len() < 2) {
        return rows.concat().join("\n");
    }
    if rows.first().is_some_and(|first| !names_columns(first)) {
        rows.insert(0, Vec::new());
    }
    let mut markdown = Markdown::default();
    markdown.table(&rows);
    markdown.finish()
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
