//! The structure of plain text: paragraphs divided by blank lines and form feeds, and numbered headings.

use std::cmp::Reverse;

use super::{Content, Mark, Outline, Rank, numbered, page_starts};

pub(super) fn outline(text: &str) -> Outline {
    let headings = numbered::headings(text);
    let heading_marks = headings.iter().map(|heading| Mark {
        at: heading.at,
        rank: Some(Rank::Heading(Reverse(heading.level))),
        content: Content::Prose,
    });
    let mut marks: Vec<Mark> = page_starts(text).chain(heading_marks).collect();
    let bytes = text.as_bytes();
    let mut line_start = 0;
    let mut previous = Line::Written;
    let mut ended = headings.iter().map(|heading| heading.end).peekable();
    for line_end in memchr::memchr_iter(b'\n', bytes).map(|newline| newline + 1).chain([bytes.len()]) {
        let this = if bytes[line_start..line_end].trim_ascii_start().is_empty() { Line::Blank } else { Line::Written };
        if let Line::Written = this {
            let under_heading = ended.next_if(|end| *end <= line_start).is_some();
            if let Line::Blank = previous {
                let rank = (!under_heading).then_some(Rank::Block);
                marks.push(Mark { at: line_start, rank, content: Content::Prose });
            }
        }
        previous = this;
        line_start = line_end;
    }
    Outline::new(marks, headings, Vec::new())
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

    #[test]
    fn the_paragraph_under_a_heading_is_no_place_to_cut() {
        let text = "1. Scope\n\nOne.\n\nTwo.\n\n2. Fees\nThree.\n\nFour.";
        let outline = outline(text);
        let cuts = outline.marks.iter().filter(|mark| mark.rank.is_some()).map(|mark| &text[mark.at..mark.at + 4]);
        assert_eq!(cuts.collect::<Vec<_>>(), ["1. S", "Two.", "2. F", "Four"]);
    }
}
