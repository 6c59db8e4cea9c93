//! Tables in Markdown: what the header of a column says holds for the cells below it.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::label::{Found, of_name};
use super::words::Label;

/// The cells below a header that says something, ascending.
#[derive(Debug, Default)]
pub(super) struct Tables {
    cells: Vec<(Range<usize>, Label)>,
}

impl Tables {
    /// The tables of a text: a row of dashes under a header, and the rows up to one without columns.
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut tables = Self::default();
        let mut next = 0;
        while let Some(dashes) = memmem::find(&bytes[next..], b"---") {
            let start = memrchr(b'\n', &bytes[next..next + dashes]).map_or(next, |end| next + end + 1);
            let end = line_end(text, start);
            let rule = start..end;
            next = end;
            if start == 0 || !is_rule(&text[rule]) {
                continue;
            }
            let header = memrchr(b'\n', &bytes[..start - 1]).map_or(0, |end| end + 1)..start - 1;
            let labels: Vec<Option<Label>> = cells(text, header).map(|cell| of_name(&text[cell])).collect();
            // The rows of a table that says nothing may hold another one.
            if labels.iter().any(Option::is_some) {
                next = tables.add_rows(text, end, &labels);
            }
        }
        tables
    }

    /// Adds the cells of the rows after `from`, and says where they end.
    fn add_rows(&mut self, text: &str, from: usize, labels: &[Option<Label>]) -> usize {
        let mut at = from;
        while at < text.len() {
            let row = at + 1..line_end(text, at + 1);
            if memchr(b'|', &text.as_bytes()[row.clone()]).is_none() {
                break;
            }
            at = row.end;
            let labelled = cells(text, row).zip(labels);
            self.cells.extend(labelled.filter_map(|(cell, label)| label.map(|label| (cell, label))));
        }
        at
    }

    /// What the header says about a value that begins at `at`, if nothing but signs is before it in its cell.
    pub(super) fn label(&self, text: &str, at: usize) -> Option<Found> {
        let (cell, label) = self.cells.get(self.cells.partition_point(|(cell, _)| cell.end <= at))?;
        let before = text.get(cell.start..at)?;
        (!before.contains(char::is_alphanumeric)).then_some(Found { label: *label, direct: true })
    }

    /// The cells in a range whose header says that they are secrets.
    pub(super) fn secrets(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.cells.partition_point(|(cell, _)| cell.start < range.start);
        let within = self.cells[first..].iter().take_while(move |(cell, _)| cell.end <= range.end);
        within.filter(|(_, label)| *label == Label::Secret).map(|(cell, _)| cell.clone())
    }
}

/// The end of the line that begins at `start`.
fn line_end(text: &str, start: usize) -> usize {
    text.as_bytes().get(start..).and_then(|rest| memchr(b'\n', rest)).map_or(text.len(), |length| start + length)
}

/// Whether a line is the one between header and rows: `| --- | :-: |`.
fn is_rule(line: &str) -> bool {
    line.contains('|') && line.bytes().all(|byte| matches!(byte, b'|' | b'-' | b':' | b' ' | b'\t' | b'\r' | b'>'))
}

/// The cells of a row, without the blanks and the emphasis around them.
fn cells(text: &str, row: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let line = text[row.clone()].trim_end_matches(is_around);
    let inner = line.trim_start_matches(is_around);
    let inner = inner.strip_prefix('|').unwrap_or(inner);
    let mut at = Some(row.start + line.len() - inner.len());
    let end = row.start + line.len();
    std::iter::from_fn(move || {
        let start = at?;
        let close = closing(&text[start..end]).map(|length| start + length);
        at = close.map(|close| close + 1);
        let cell = &text[start..close.unwrap_or(end)];
        let inner = cell.trim_start_matches(is_around);
        let start = start + cell.len() - inner.len();
        Some(start..start + inner.trim_end_matches(is_around).len())
    })
}

/// The length up to the next "|" that is not escaped.
fn closing(rest: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(b'|', &rest.as_bytes()[from..])?;
        if !rest[..at].ends_with('\\') {
            return Some(at);
        }
        from = at + 1;
    }
}

fn is_around(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '*' | '_' | '`' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(text: &str) -> Vec<(&str, Label)> {
        Tables::of(text).cells.into_iter().map(|(cell, label)| (&text[cell], label)).collect()
    }

    #[test]
    fn the_header_names_the_cells_below_it() {
        let table = "Staff:\n\n| Name | **Phone** |\n|:--|---:|\n| Mia \\| M | `612345678` |\n| Ada |  |\n\n| a | 1 |";
        assert_eq!(labelled(table), [("612345678", Label::Phone), ("", Label::Phone)]);
        assert_eq!(labelled("> SSN | n\r\n> ----|---\r\n> 219099998 | 1\r\n"), [("219099998", Label::Ssn)]);
        let two = "|a|\n|---|\n|b|\n\n|pwd|\n|---|\n|c|\ntext\n";
        assert_eq!(labelled(two), [("c", Label::Secret)]);
    }

    #[test]
    fn rows_without_a_header_and_rules_without_columns_say_nothing() {
        for text in
            ["|---|\n| 1 |", "Phone\n-----\n612345678", "| Phone | x |\n| 1 | 2 |", "---\n---\n", "| Phone |\n|---"]
        {
            assert!(labelled(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_label_holds_for_what_its_cell_begins_with() {
        let text = "|Phone|Name|\n|---|---|\n| +1 | 2 |\n";
        let tables = Tables::of(text);
        let label = |sign: &str| tables.label(text, text.find(sign).unwrap()).map(|found| found.label);
        assert_eq!((label("1 |"), label("2"), label("Name")), (Some(Label::Phone), None, None));
    }
}
