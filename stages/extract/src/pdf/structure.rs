//! Headings and tables of a document, told from how its lines are set.

use super::lines::{Break, Line};
use super::sheet::Sheet;
use super::span::Weight;
use crate::markdown::Markdown;

/// How much larger than the body a heading is, at least.
const LARGER: f64 = 1.15;
/// The longest heading, in characters.
const LONGEST: usize = 120;
/// The number of heading levels told by size; bold lines of the body's size are one level below.
const LEVELS: usize = 4;
/// The fewest rows of a table.
const FEWEST_ROWS: usize = 2;
/// Cells of one column may be this many points apart and still overlap.
const OVERLAP: f64 = 1.0;

/// What the sizes of a document's text mean.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    body: f64,
    /// The sizes of headings, from the largest.
    headings: Vec<f64>,
    /// Whether most of the text is bold, so that it says nothing.
    is_bold: bool,
}

impl Sizes {
    /// Measures a document.
    pub(super) fn of(sheets: &[Sheet]) -> Self {
        let mut lengths: Vec<(f64, usize)> = Vec::new();
        let (mut bold, mut all) = (0, 0);
        for line in sheets.iter().flat_map(|sheet| &sheet.lines) {
            let size = rounded(line.size);
            match lengths.binary_search_by(|(known, _)| known.total_cmp(&size)) {
                Ok(place) => lengths[place].1 += line.text.len(),
                Err(place) => lengths.insert(place, (size, line.text.len())),
            }
            all += line.text.len();
            bold += if line.weight == Weight::Bold { line.text.len() } else { 0 };
        }
        let body = lengths.iter().max_by_key(|(_, length)| *length).map_or(0.0, |(size, _)| *size);
        let mut sizes = Self { body, headings: Vec::new(), is_bold: 2 * bold > all };
        for line in sheets.iter().flat_map(|sheet| &sheet.lines) {
            let size = rounded(line.size);
            if sizes.is_large(line)
                && could_be_heading(line)
                && !sizes.headings.contains(&size)
                && sizes.headings.len() < 64
            {
                sizes.headings.push(size);
            }
        }
        sizes.headings.sort_by(|a, b| b.total_cmp(a));
        sizes.headings.truncate(LEVELS);
        sizes
    }

    fn is_large(&self, line: &Line) -> bool {
        line.size >= LARGER * self.body
    }

    /// The level of a heading; `None` for other lines.
    fn level(&self, line: &Line) -> Option<u8> {
        if !could_be_heading(line) {
            return None;
        }
        let below = || u8::try_from(self.headings.len() + 1).ok();
        match self.is_large(line) {
            true => {
                let place = self.headings.iter().position(|size| *size <= rounded(line.size));
                place.and_then(|place| u8::try_from(place + 1).ok()).or_else(below)
            }
            false => {
                let stands_out = line.weight == Weight::Bold && !self.is_bold && line.size >= 0.95 * self.body;
                let is_title = line.before == Break::Paragraph && !line.text.ends_with(['.', ',', ';', ':']);
                if stands_out && is_title && line.text.chars().count() <= LONGEST / 2 { below() } else { None }
            }
        }
    }
}

/// Sizes are compared in half points.
fn rounded(size: f64) -> f64 {
    (size * 2.0).round() / 2.0
}

fn could_be_heading(line: &Line) -> bool {
    let has_words = line.text.chars().filter(|letter| letter.is_alphabetic()).count() >= 2;
    line.cells.len() == 1 && has_words && line.text.chars().count() <= LONGEST
}

/// Writes a page as Markdown.
pub(super) fn write(lines: &[Line], sizes: &Sizes) -> String {
    let mut markdown = Markdown::default();
    let mut paragraph = String::new();
    let mut number = 0;
    while let Some(line) = lines.get(number) {
        if let Some(level) = sizes.level(line) {
            markdown.paragraph(&std::mem::take(&mut paragraph));
            let end = end_of_heading(lines, number, sizes);
            let texts: Vec<&str> = lines[number..end].iter().map(|line| line.text.as_str()).collect();
            markdown.heading(level, &texts.join(" "));
            number = end;
            continue;
        }
        let table = table(&lines[number..]);
        if let Some((rows, used)) = table {
            markdown.paragraph(&std::mem::take(&mut paragraph));
            markdown.table(&rows);
            number += used;
            continue;
        }
        if line.before == Break::Paragraph {
            markdown.paragraph(&std::mem::take(&mut paragraph));
        }
        if !paragraph.is_empty() {
            paragraph.push('\n');
        }
        paragraph.push_str(&line.text);
        number += 1;
    }
    markdown.paragraph(&paragraph);
    markdown.finish()
}

/// Where a heading ends: it may run over lines of the same size.
fn end_of_heading(lines: &[Line], start: usize, sizes: &Sizes) -> usize {
    let first = &lines[start];
    let continues = |line: &&Line| {
        let is_same = (line.size - first.size).abs() < 0.5 && line.weight == first.weight && line.cells.len() == 1;
        is_same && line.before == Break::Line && sizes.is_large(line) && line.text.chars().count() <= LONGEST
    };
    start + 1 + lines[start + 1..].iter().take(3).take_while(continues).count()
}

/// The rows of a table that begins with the first line, and how many lines it takes.
fn table(lines: &[Line]) -> Option<(Vec<Vec<String>>, usize)> {
    let used = lines.iter().take_while(|line| line.cells.len() > 1 && is_whole(line)).count();
    if used < FEWEST_ROWS {
        return None;
    }
    let columns = columns(&lines[..used]);
    let most = lines[..used].iter().map(|line| line.cells.len()).max()?;
    if columns.len() != most {
        return None;
    }
    let mut rows = Vec::with_capacity(used);
    for line in &lines[..used] {
        let mut row = vec![String::new(); columns.len()];
        for ((left, right), text) in line.cells.iter().zip(line.text.split('\t')) {
            let column = columns.iter().position(|(from, to)| *left < *to && *right > *from)?;
            if !row[column].is_empty() {
                return None;
            }
            row[column] = text.trim().to_owned();
        }
        rows.push(row);
    }
    Some((rows, used))
}

/// Whether the cells of a line are those of its text.
fn is_whole(line: &Line) -> bool {
    line.text.matches('\t').count() + 1 == line.cells.len()
}

/// The columns that the cells of all lines make up: where they overlap, they are one.
fn columns(lines: &[Line]) -> Vec<(f64, f64)> {
    let mut cells: Vec<(f64, f64)> = lines.iter().flat_map(|line| line.cells.iter().copied()).collect();
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f64, f64)> = Vec::new();
    for (left, right) in cells {
        match columns.last_mut() {
            Some((_, end)) if left < *end - OVERLAP => *end = end.max(right),
            _ => columns.push((left, right)),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::super::annotations::Notes;
    use super::super::lines::Lie;
    use super::*;

    fn line(text: &str, size: f64) -> Line {
        let cell = |number: usize, text: &str| (100.0 * number as f64, 100.0 * number as f64 + 5.0 * text.len() as f64);
        Line {
            text: text.to_owned(),
            base: 0.0,
            size,
            weight: Weight::Regular,
            before: Break::Line,
            lie: Lie::Upright,
            cells: text.split('\t').enumerate().map(|(number, text)| cell(number, text)).collect(),
        }
    }

    fn written(lines: Vec<Line>) -> String {
        let sheets = [Sheet { lines, notes: Notes::default(), height: 800.0 }];
        write(&sheets[0].lines, &Sizes::of(&sheets))
    }

    #[test]
    fn large_and_bold_lines_are_headings() {
        let bold = Line { weight: Weight::Bold, before: Break::Paragraph, ..line("Scope", 10.0) };
        let body = || line("The body of this text is set in the size that most of it has.", 10.0);
        let lines = vec![line("The", 20.0), line("Title", 20.0), body(), bold, body(), line("Part two", 14.0), body()];
        let text = written(lines);
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(headings, ["# The Title", "### Scope", "## Part two"]);
    }

    #[test]
    fn cells_that_align_are_a_table_and_others_are_not() {
        let text = written(vec![line("Item\tPrice", 10.0), line("Bolt\t1.20", 10.0), line("and a sentence", 10.0)]);
        assert_eq!(text, "| Item | Price |\n| --- | --- |\n| Bolt | 1.20 |\n\nand a sentence");
        let mut shifted = line("c\td", 10.0);
        shifted.cells = vec![(0.0, 150.0), (160.0, 300.0)];
        assert_eq!(written(vec![line("a\tb", 10.0), shifted]), "a\tb\nc\td");
    }
}
