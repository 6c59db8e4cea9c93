//! The structure of plain text: paragraphs divided by blank lines and form feeds.

use super::{Content, Mark, Outline, Rank, page_starts};

pub(super) fn outline(text: &str) -> Outline {
    let mut marks: Vec<Mark> = page_starts(text).collect();
    let bytes = text.as_bytes();
    let mut line_start = 0;
    let mut previous = Line::Written;
    for line_end in memchr::memchr_iter(b'\n', bytes).map(|newline| newline + 1).chain([bytes.len()]) {
        let this = if bytes[line_start..line_end].trim_ascii_start().is_empty() { Line::Blank } else { Line::Written };
        if let (Line::Blank, Line::Written) = (previous, this) {
            marks.push(Mark { at: line_start, rank: Rank::Block, content: Content::Prose });
        }
        previous = this;
        line_start = line_end;
    }
    Outline::new(marks, Vec::new())
}

#[derive(Clone, Copy)]
enum Line {
    Blank,
    Written,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(text: &str) -> Vec<&str> {
        outline(text).marks.iter().map(|mark| &text[mark.at..]).collect()
    }

    #[test]
    fn a_blank_line_divides_paragraphs() {
        assert_eq!(starts("One\nstill one\n\n \t\nTwo"), ["Two"]);
    }

    #[test]
    fn windows_line_endings_divide_paragraphs_too() {
        assert_eq!(starts("One\r\nstill one\r\n\r\nTwo"), ["Two"]);
    }

    #[test]
    fn the_indent_belongs_to_the_paragraph() {
        assert_eq!(starts("One\n\n  Two"), ["  Two"]);
    }

    #[test]
    fn a_form_feed_divides_paragraphs_in_the_middle_of_a_line() {
        assert_eq!(starts("One\u{c}Two"), ["Two"]);
    }
}
