//! Finds running headers, running footers and page numbers, which are not part of the text.

use std::collections::HashMap;

use super::lines::{Lie, Line};
use super::sheet::Sheet;

/// The margins that usually hold nothing else: this share of the page at its top and at its bottom.
const MARGIN: (f64, f64) = (0.085, 0.085);
/// The outermost line of a page may be a header or a footer within this share of it.
const OUTER: f64 = 0.2;
/// How far such a line is apart from the text, in font sizes.
const APART: f64 = 1.8;
/// Text has to be on this many pages, and on this share of all, in percent.
const FEWEST_PAGES: usize = 3;
const SHARE: usize = 40;
/// The longest running header, in bytes.
const LONGEST: usize = 200;
/// Lines whose position differs by less are at the same place.
const SAME_PLACE: f64 = 6.0;
/// What may stand beside a page number.
const PAGE_WORDS: [&str; 16] =
    ["page", "p", "pg", "pp", "of", "seite", "s", "von", "página", "pagina", "de", "di", "sur", "strona", "z", "sida"];

/// Where a line was found.
struct Found {
    sheet: usize,
    line: usize,
    numbers: Vec<u64>,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Margin,
    /// The outermost line of the page, apart from the others.
    Outermost,
}

/// Removes running lines from all pages.
pub(super) fn remove(sheets: &mut [Sheet]) {
    if sheets.len() < 2 {
        return;
    }
    let mut found: HashMap<(String, i64), Vec<Found>> = HashMap::new();
    for (number, sheet) in sheets.iter().enumerate() {
        for (line, place) in candidates(sheet) {
            let text = &sheet.lines[line].text;
            let (pattern, numbers) = pattern(text);
            let key = (pattern, (sheet.lines[line].base / SAME_PLACE).round() as i64);
            found.entry(key).or_default().push(Found { sheet: number, line, numbers, place });
        }
    }
    let mut running: Vec<(usize, usize)> = Vec::new();
    for ((pattern, _), lines) in found {
        if is_running(&pattern, &lines, sheets.len()) {
            running.extend(lines.iter().map(|found| (found.sheet, found.line)));
        }
    }
    running.sort_unstable();
    let left = |sheet: usize| {
        let removed = running.partition_point(|(number, _)| *number <= sheet)
            - running.partition_point(|(number, _)| *number < sheet);
        sheets[sheet].lines.len() - removed
    };
    // Pages that hold nothing else are what the document is about.
    if (0..sheets.len()).filter(|sheet| left(*sheet) == 0).count() * 2 > sheets.len() {
        return;
    }
    for (number, sheet) in sheets.iter_mut().enumerate() {
        let mut line = 0;
        sheet.lines.retain(|_| {
            line += 1;
            running.binary_search(&(number, line - 1)).is_err()
        });
    }
}

/// The lines of a page that may be running ones.
fn candidates(sheet: &Sheet) -> Vec<(usize, Place)> {
    let upright = |line: &&Line| line.lie == Lie::Upright;
    let bases = || sheet.lines.iter().filter(upright).map(|line| line.base);
    let (top, bottom) = (bases().fold(f64::NEG_INFINITY, f64::max), bases().fold(f64::INFINITY, f64::min));
    let next = |edge: f64| {
        let distances = bases().map(move |base| (base - edge).abs()).filter(|distance| *distance > 1.0);
        distances.fold(f64::INFINITY, f64::min)
    };
    let (below_top, above_bottom) = (next(top), next(bottom));
    let height = sheet.height;
    let place = |line: &Line| {
        let is_margin = line.base > height * (1.0 - MARGIN.0) || line.base < height * MARGIN.1;
        let is_top = line.base >= top - 1.0 && line.base > height * (1.0 - OUTER) && below_top > APART * line.size;
        let is_bottom = line.base <= bottom + 1.0 && line.base < height * OUTER && above_bottom > APART * line.size;
        match (is_margin, is_top || is_bottom) {
            (true, _) => Some(Place::Margin),
            (false, true) => Some(Place::Outermost),
            (false, false) => None,
        }
    };
    let lines = sheet.lines.iter().enumerate();
    lines
        .filter(|(_, line)| line.lie == Lie::Upright && line.text.len() <= LONGEST)
        .filter_map(|(number, line)| Some((number, place(line)?)))
        .collect()
}

/// The text of a line without its numbers, and the numbers.
fn pattern(text: &str) -> (String, Vec<u64>) {
    let (mut pattern, mut numbers) = (String::new(), Vec::new());
    let mut digits = String::new();
    for letter in text.chars().chain([' ']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            numbers.extend(digits.parse::<u64>());
            pattern.push('#');
            digits.clear();
        }
        pattern.push(letter);
    }
    (pattern.trim().to_lowercase(), numbers)
}

fn is_running(pattern: &str, lines: &[Found], sheets: usize) -> bool {
    let mut pages: Vec<usize> = lines.iter().map(|found| found.sheet).collect();
    pages.dedup();
    let is_margin = lines.iter().all(|found| found.place == Place::Margin);
    if counts_pages(lines) && pages.len() == lines.len() {
        return pages.len() >= 2 && (is_page_number(pattern) || (is_margin && pages.len() >= FEWEST_PAGES));
    }
    let same = lines.windows(2).all(|pair| pair[0].numbers == pair[1].numbers);
    same && pages.len() >= FEWEST_PAGES && pages.len() * 100 >= sheets * SHARE
}

/// Whether one of the numbers grows as the pages do.
fn counts_pages(lines: &[Found]) -> bool {
    let fewest = lines.iter().map(|found| found.numbers.len()).min().unwrap_or(0);
    (0..fewest).any(|index| {
        lines.windows(2).all(|pair| {
            let pages = (pair[1].sheet - pair[0].sheet) as u64;
            pages > 0 && pair[0].numbers[index].checked_add(pages) == Some(pair[1].numbers[index])
        })
    })
}

/// Whether nothing but words that go with page numbers is in a line.
fn is_page_number(pattern: &str) -> bool {
    let words = pattern.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    let is_short = pattern.chars().count() <= 24;
    is_short && words.into_iter().all(|word| PAGE_WORDS.contains(&word) || word.chars().all(|c| "第页頁共".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::super::annotations::Notes;
    use super::super::lines::Break;
    use super::super::span::Weight;
    use super::*;

    fn line(text: &str, base: f64) -> Line {
        Line {
            text: text.to_owned(),
            base,
            size: 10.0,
            weight: Weight::Regular,
            before: Break::Line,
            lie: Lie::Upright,
            cells: Vec::new(),
        }
    }

    /// What is left of pages with these lines.
    fn left(pages: &[&[(&str, f64)]]) -> Vec<String> {
        let sheet = |lines: &&[(&str, f64)]| Sheet {
            lines: lines.iter().map(|(text, base)| line(text, *base)).collect(),
            notes: Notes::default(),
            height: 800.0,
        };
        let mut sheets: Vec<Sheet> = pages.iter().map(sheet).collect();
        remove(&mut sheets);
        let texts = |sheet: &Sheet| sheet.lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>().join("|");
        sheets.iter().map(texts).collect()
    }

    #[test]
    fn page_numbers_are_removed_from_two_pages_on() {
        assert_eq!(
            left(&[&[("one", 400.0), ("Page 1 of 2", 30.0)], &[("two", 400.0), ("Page 2 of 2", 30.0)]]),
            ["one", "two"]
        );
        assert_eq!(left(&[&[("one", 400.0), ("- 7 -", 130.0)], &[("two", 400.0), ("- 8 -", 130.0)]]), ["one", "two"]);
        assert_eq!(left(&[&[("one", 400.0), ("7", 130.0)], &[("two", 400.0), ("3", 130.0)]]), ["one|7", "two|3"]);
    }

    #[test]
    fn titles_that_count_and_text_that_repeats_within_the_page_stay() {
        assert_eq!(
            left(&[&[("Lesson 1", 700.0), ("a", 400.0)], &[("Lesson 2", 700.0), ("b", 400.0)]]),
            ["Lesson 1|a", "Lesson 2|b"]
        );
        let page: &[(&str, f64)] = &[("top", 500.0), ("same", 400.0), ("end", 300.0)];
        assert_eq!(left(&[page, page, page]), ["top|same|end"; 3]);
    }

    #[test]
    fn text_in_the_margin_of_most_pages_is_removed() {
        let page: &[(&str, f64)] = &[("ACME Corp.", 770.0), ("body", 400.0)];
        assert_eq!(left(&[page, page, page]), ["body"; 3]);
        assert_eq!(left(&[page, page]), ["ACME Corp.|body"; 2]);
        let alone: &[(&str, f64)] = &[("ACME Corp.", 770.0)];
        assert_eq!(left(&[alone, alone, alone]), ["ACME Corp."; 3]);
    }
}
