//! The structure of Markdown: CommonMark with tables and front matter.

use std::cmp::Reverse;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{Content, Head, Heading, Mark, Outline, Rank, keep_headings_with_their_text, page_starts, shortened};

pub(super) fn outline(text: &str) -> Outline {
    let parseable = parseable(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reading = Reading::new(&parseable);
    for (event, range) in Parser::new_ext(&parseable, options).into_offset_iter() {
        match event {
            Event::Start(tag) => reading.open(&tag, range),
            Event::End(tag) => reading.close(tag),
            Event::Rule => reading.mark(range.start, Content::Prose),
            Event::Text(piece) | Event::Code(piece) => reading.extend_title(&piece),
            Event::SoftBreak | Event::HardBreak => reading.extend_title(" "),
            _ => {}
        }
    }
    let Reading { mut marks, headings, heads, .. } = reading;
    keep_headings_with_their_text(&mut marks);
    marks.extend(page_starts(text));
    Outline::new(marks, headings, heads)
}

/// The text in a form for the parser, with every offset unchanged. CommonMark has no page breaks, and a byte order mark
/// would hide a heading on the first line; three spaces do not.
fn parseable(text: &str) -> String {
    let text = text.replace('\u{c}', "\n");
    match text.strip_prefix('\u{feff}') {
        Some(rest) => format!("   {rest}"),
        None => text,
    }
}

/// The outline read so far.
struct Reading<'a> {
    text: &'a str,
    marks: Vec<Mark>,
    headings: Vec<Heading>,
    heads: Vec<Head>,
    /// The heading being read.
    open_heading: Option<Heading>,
    /// Rows read of a table: the first one stays with the head.
    rows: usize,
    /// Number of open elements.
    depth: usize,
    line: Line,
}

/// The line of the last block found.
#[derive(Default)]
struct Line {
    start: usize,
    /// How far the text has been searched for a line end. Blocks come in order, so nothing is searched twice, even if
    /// thousands of them start on one line.
    searched: usize,
}

impl<'a> Reading<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            marks: Vec::new(),
            headings: Vec::new(),
            heads: Vec::new(),
            open_heading: None,
            rows: 0,
            depth: 0,
            line: Line::default(),
        }
    }

    fn open(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        let start = range.start;
        match tag {
            // Headings inside lists and block quotes are not part of the outline.
            Tag::Heading { level, .. } if self.depth == 0 => {
                let (at, level) = (self.line_start(start), *level as u8);
                self.marks.push(Mark { at, rank: Some(Rank::Heading(Reverse(level))), content: Content::Prose });
                self.open_heading = Some(Heading { at, end: range.end, level, title: String::new() });
            }
            Tag::CodeBlock(kind) => {
                self.mark(start, Content::Code);
                if let CodeBlockKind::Fenced(_) = kind {
                    self.heads.extend(Head::of_fence(self.text, self.line.start, range));
                }
            }
            Tag::Table(_) => {
                self.mark(start, Content::Prose);
                self.heads.extend(Head::of_table(self.text, self.line.start, range));
                self.rows = 0;
            }
            Tag::TableRow => {
                if self.rows > 0 {
                    self.mark(start, Content::Prose);
                }
                self.rows += 1;
            }
            Tag::MetadataBlock(_) => self.mark(start, Content::Code),
            Tag::Paragraph | Tag::Heading { .. } | Tag::BlockQuote(_) | Tag::HtmlBlock | Tag::List(_) | Tag::Item => {
                self.mark(start, Content::Prose)
            }
            _ => {}
        }
        self.depth += 1;
    }

    fn close(&mut self, tag: TagEnd) {
        self.depth -= 1;
        if let TagEnd::Heading(_) = tag {
            self.headings.extend(
                self.open_heading.take().map(|heading| Heading { title: shortened(&heading.title), ..heading }),
            );
        }
    }

    fn mark(&mut self, start: usize, content: Content) {
        let rank = if self.depth == 0 { Rank::Block } else { Rank::Item };
        let at = self.line_start(start);
        self.marks.push(Mark { at, rank: Some(rank), content });
    }

    fn extend_title(&mut self, piece: &str) {
        if let Some(heading) = &mut self.open_heading {
            heading.title.push_str(piece);
        }
    }

    /// The start of the line at `position`, so that a block keeps its indent, its quote marker or its bullet.
    fn line_start(&mut self, position: usize) -> usize {
        let Line { start, searched } = &mut self.line;
        let position = position.max(*searched);
        if let Some(end) = self.text[*searched..position].rfind(['\n', '\r']) {
            *start = *searched + end + 1;
        }
        *searched = position;
        *start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(text: &str) -> Vec<(u8, String)> {
        outline(text).headings.into_iter().map(|heading| (heading.level, heading.title)).collect()
    }

    fn starts(text: &str) -> Vec<(Rank, &str)> {
        let first_line = |at: usize| text[at..].lines().next().unwrap();
        let cuts = outline(text).marks.into_iter().filter_map(|mark| Some((mark.rank?, first_line(mark.at))));
        cuts.collect()
    }

    #[test]
    fn both_kinds_of_headings_are_found() {
        let text = "# One #\n\nText.\n\nTwo\n===\n\nThree\n---\n\n#hashtag\n";
        assert_eq!(headings(text), [(1, "One".into()), (1, "Two".into()), (2, "Three".into())]);
    }

    #[test]
    fn a_title_is_what_a_reader_sees() {
        assert_eq!(headings("# The *new* `api` [guide](https://a.example)"), [(1, "The new api guide".into())]);
    }

    #[test]
    fn a_very_long_title_is_shortened() {
        let titles = headings(&format!("# {}", "é".repeat(300)));
        assert_eq!(titles[0].1.chars().count(), super::super::TITLE_MAX + 1);
    }

    #[test]
    fn a_hash_sign_inside_a_fence_is_not_a_heading() {
        assert_eq!(headings("```sh\n# not one\n```\n\n~~~\n## nor this\n~~~\n\n    # nor this\n"), []);
    }

    #[test]
    fn headings_in_lists_and_block_quotes_are_not_part_of_the_outline() {
        assert_eq!(headings("> # Quoted\n\n- # Listed\n"), []);
    }

    #[test]
    fn front_matter_is_not_a_heading() {
        assert_eq!(headings("---\ntitle: A\n---\n\n# One\n"), [(1, "One".into())]);
    }

    #[test]
    fn a_heading_after_a_page_break_or_a_byte_order_mark_is_found() {
        assert_eq!(headings("\u{feff}# One\n\nText\u{c}# Two\n"), [(1, "One".into()), (1, "Two".into())]);
    }

    #[test]
    fn a_heading_stays_with_the_text_or_code_under_it() {
        let h3 = Rank::Heading(Reverse(3));
        assert_eq!(starts("### A\n\nText\n"), [(h3, "### A")]);
        let code = outline("### A\n\n```\ncode\n```\n");
        assert_eq!(code.content_at(10), Content::Code);
        assert_eq!(starts("### A\n\n```\ncode\n```\n"), [(h3, "### A")]);
    }

    #[test]
    fn list_items_table_rows_and_quoted_paragraphs_start_with_their_line() {
        let text = "- a\n- b\n\n> c\n>\n> d\n\n|h|\n|-|\n|1|\n|2|\n";
        let item = |line| (Rank::Item, line);
        let block = |line| (Rank::Block, line);
        assert_eq!(starts(text), [block("- a"), item("- b"), block("> c"), item("> d"), block("|h|"), item("|2|")]);
    }
}
