//! Running headers and footers: lines that repeat in the same place on most pages, except for page numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::Artifact;
use crate::report::Report;
use crate::rewrite::Rewrite;

/// How many lines at the top and at the bottom of a page can be running lines.
const REACH: usize = 3;
/// With fewer pages, a running line cannot be distinguished from a coincidence.
const MIN_PAGES: usize = 3;

/// A place on a page, counted in lines that are not blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    FromTop(usize),
    FromBottom(usize),
}

/// A line near the edge of a page.
struct Line {
    page: usize,
    /// Its bytes in the text, including the line break.
    range: Range<usize>,
    numbers: Vec<u64>,
}

/// Removes running lines from a text whose pages end with form feeds. The form feeds stay.
pub(super) fn remove<'t>(text: &'t str, report: &mut Report) -> Cow<'t, str> {
    if memchr::memchr_iter(b'\x0c', text.as_bytes()).take(MIN_PAGES - 1).count() < MIN_PAGES - 1 {
        return Cow::Borrowed(text);
    }
    let mut candidates: BTreeMap<(Place, String), Vec<Line>> = BTreeMap::new();
    let mut pages = 0;
    let mut start = 0;
    for (page, content) in text.split('\x0c').enumerate() {
        let lines = lines(content, start);
        pages += usize::from(!lines.is_empty());
        for (place, range) in edges(&lines) {
            let (pattern, numbers) = pattern(&text[range.clone()]);
            candidates.entry((place, pattern)).or_default().push(Line { page, range, numbers });
        }
        start += content.len() + 1;
    }

    let mut ranges = Vec::new();
    for mut lines in candidates.into_values() {
        keep_consistent(&mut lines);
        if lines.len() >= MIN_PAGES && 2 * lines.len() > pages {
            ranges.extend(lines.into_iter().map(|line| line.range));
        }
    }
    // On a short page a line can be near both edges.
    ranges.sort_by_key(|range| range.start);
    ranges.dedup();
    let mut rewrite = Rewrite::new(text);
    for range in ranges {
        rewrite.replace(range, "");
        report.removed(Artifact::RunningLines);
    }
    rewrite.finish()
}

/// The non-blank lines of a page, as ranges in the whole text.
fn lines(page: &str, start: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut at = start;
    for line in page.split_inclusive('\n') {
        if !line.trim().is_empty() {
            lines.push(at..at + line.len());
        }
        at += line.len();
    }
    lines
}

fn edges(lines: &[Range<usize>]) -> impl Iterator<Item = (Place, Range<usize>)> {
    let top = lines.iter().take(REACH).cloned().enumerate().map(|(depth, line)| (Place::FromTop(depth), line));
    let bottom = lines.iter().rev().take(REACH).cloned().enumerate();
    top.chain(bottom.map(|(depth, line)| (Place::FromBottom(depth), line)))
}

/// The line with "#" for each number and a single space for white space, and the numbers.
fn pattern(line: &str) -> (String, Vec<u64>) {
    let mut pattern = String::new();
    let mut numbers = Vec::new();
    for word in line.split_whitespace() {
        if !pattern.is_empty() {
            pattern.push(' ');
        }
        let mut in_number = false;
        for c in word.chars() {
            match (c.to_digit(10), numbers.last_mut()) {
                (Some(digit), Some(number)) if in_number => {
                    *number = u64::wrapping_add(u64::wrapping_mul(*number, 10), digit.into());
                }
                (Some(digit), _) => {
                    numbers.push(digit.into());
                    pattern.push('#');
                    in_number = true;
                }
                (None, _) => {
                    pattern.push(c);
                    in_number = false;
                }
            }
        }
    }
    (pattern, numbers)
}

/// Keeps the lines whose numbers behave like those of running lines: each is constant or counts the pages. Totals and
/// dates at the foot of each page do neither.
fn keep_consistent(lines: &mut Vec<Line>) {
    let columns = lines.first().map_or(0, |line| line.numbers.len());
    for column in 0..columns {
        // A line with a literal "#" has the same pattern but fewer numbers.
        lines.retain(|line| line.numbers.len() > column);
        let constant = |line: &Line| line.numbers[column];
        let counting = |line: &Line| line.numbers[column].wrapping_sub(line.page as u64);
        let (same, same_count) = most_frequent(lines, constant);
        let (offset, offset_count) = most_frequent(lines, counting);
        match same_count >= offset_count {
            true => lines.retain(|line| constant(line) == same),
            false => lines.retain(|line| counting(line) == offset),
        }
    }
}

fn most_frequent(lines: &[Line], value: impl Fn(&Line) -> u64) -> (u64, usize) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(value(line)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(pages: &[&str]) -> Vec<String> {
        let text = pages.join("\x0c");
        remove(&text, &mut Report::default()).split('\x0c').map(str::to_owned).collect()
    }

    #[test]
    fn headers_and_footers_are_removed_and_pages_stay() {
        let pages = [
            "Annual Report\n\nIt begins.\nMore.\nEven more.\n\nPage 1 of 4\n",
            "Annual Report\n\nIt goes on.\nOn and on.\n\nPage 2 of 4\n",
            "Annual Report\n\nStill.\n\nPage 3 of 4\n",
            "Annual  Report\nIt ends.\n\nPage 4 of 4",
            "",
        ];
        assert_eq!(
            clean(&pages),
            [
                "\nIt begins.\nMore.\nEven more.\n\n",
                "\nIt goes on.\nOn and on.\n\n",
                "\nStill.\n\n",
                "It ends.\n\n",
                ""
            ]
        );
    }

    #[test]
    fn bare_page_numbers_are_removed() {
        assert_eq!(clean(&["a\n7", "b\n8", "c\n9"]), ["a\n", "b\n", "c\n"]);
    }

    #[test]
    fn numbers_within_a_word_count_separately() {
        assert_eq!(clean(&["a\np1/3", "b\np2/3", "c\np3/3"]), ["a\n", "b\n", "c\n"]);
        let chapters = ["a\n1.7", "b\n2.3", "c\n4.1"];
        assert_eq!(clean(&chapters), chapters);
    }

    #[test]
    fn a_header_is_removed_even_if_the_title_page_has_none() {
        assert_eq!(
            clean(&["Title", "H\na", "H\nb", "H\nc"]),
            ["Title", "a\n", "b\n", "c\n"].map(|page| page.trim_end())
        );
    }

    #[test]
    fn numbers_that_do_not_count_pages_stay() {
        let totals = ["a\nTotal 12.50", "b\nTotal 99.10", "c\nTotal 7.00", "d\nTotal 12.80"];
        assert_eq!(clean(&totals), totals);
        let lines = ["2024-01-05\na", "2024-01-09\nb", "2024-02-11\nc"];
        assert_eq!(clean(&lines), lines);
    }

    #[test]
    fn two_pages_are_too_few() {
        let pages = ["H\na", "H\nb"];
        assert_eq!(clean(&pages), pages);
    }

    #[test]
    fn lines_on_half_of_the_pages_and_lines_within_pages_stay() {
        let half = ["H\na", "H\nb", "H\nc", "d\n1x", "e\nx2", "f\nx3x"];
        assert_eq!(clean(&half), half);
        let within = ["a\nb\nc\nsame\nd\ne\nf", "g\nh\ni\nsame\nj\nk\nl", "m\nn\no\nsame\np\nq\nr"];
        assert_eq!(clean(&within), within);
    }

    #[test]
    fn text_without_form_feeds_is_unchanged() {
        let text = "H\na\nH\nb\nH\nc\n";
        assert!(matches!(remove(text, &mut Report::default()), Cow::Borrowed(_)));
    }

    #[test]
    fn a_literal_number_sign_is_not_a_number() {
        assert_eq!(clean(&["a\nPage 1", "b\nPage 2", "c\nPage 3", "d\nPage #"]), ["a\n", "b\n", "c\n", "d\nPage #"]);
    }

    #[test]
    fn a_short_page_loses_a_line_once() {
        assert_eq!(clean(&["H", "H", "H"]), ["", "", ""]);
    }
}
