//! Writes Markdown blocks, the form that HTML pages and Word files are converted to.
//!
//! Characters that Markdown could read as markup are not escaped: later stages need the words as they were written, and
//! "first\_last@example.com" is not a mail address.

/// Rows of wider tables are not filled up with empty cells: one wide row would multiply the others.
const PADDED: usize = 64;

/// The number of bytes that lines and columns add to a table, nearly.
pub(crate) fn marks(rows: usize, columns: usize) -> usize {
    rows.saturating_mul(columns.min(PADDED)).saturating_mul(3)
}

/// The kind of the last block, which decides how the next one is joined to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Block,
    Item,
}

/// Markdown being written.
#[derive(Debug)]
pub(crate) struct Markdown {
    out: String,
    last: Last,
}

impl Default for Markdown {
    fn default() -> Self {
        Self { out: String::new(), last: Last::Nothing }
    }
}

impl Markdown {
    /// The number of bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// Writes a heading; levels beyond six become six.
    pub(crate) fn heading(&mut self, level: u8, text: &str) {
        let text = one_line(text);
        if !text.is_empty() {
            self.join(Last::Block);
            self.out.extend(std::iter::repeat_n('#', level.clamp(1, 6).into()));
            self.out.push(' ');
            self.out.push_str(&text);
        }
    }

    /// Writes a paragraph, which may have line breaks.
    pub(crate) fn paragraph(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.join(Last::Block);
            self.out.push_str(text);
        }
    }

    /// Writes a list item, nested `depth` lists deep in the outermost one; the label is "-", or its number as it is
    /// written: "1.", "1.1", "(a)", "§ 1".
    pub(crate) fn item(&mut self, depth: usize, label: &str, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.join(Last::Item);
        let indent = indent(depth);
        self.out.push_str(&format!("{indent}{label} "));
        self.out.push_str(&text.replace('\n', &format!("\n{indent}  ")));
    }

    /// Writes another paragraph of the previous item.
    pub(crate) fn item_paragraph(&mut self, depth: usize, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.join(Last::Block);
            let indent = format!("{}  ", indent(depth));
            self.out.push_str(&indent);
            self.out.push_str(&text.replace('\n', &format!("\n{indent}")));
        }
    }

    /// Writes preformatted text verbatim.
    pub(crate) fn code(&mut self, text: &str) {
        let text = text.trim_matches('\n').trim_end();
        if !text.is_empty() {
            self.join(Last::Block);
            let fence = if text.contains("```") { "~~~~" } else { "```" };
            self.out.push_str(&format!("{fence}\n{text}\n{fence}"));
        }
    }

    /// Writes a table; its first row is the header. Rows of one cell are written as paragraphs.
    pub(crate) fn table(&mut self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns < 2 {
            for cell in rows.iter().flatten() {
                self.paragraph(cell);
            }
            return;
        }
        if rows.iter().flatten().all(|cell| cell.trim().is_empty()) {
            return;
        }
        let (head, body) = rows.split_first().map_or((&[][..], &[][..]), |(head, body)| (&head[..], body));
        self.table_head(head, columns);
        for row in body {
            self.table_row(row, columns);
        }
    }

    /// Begins a table of `columns` columns, whose rows follow.
    pub(crate) fn table_head(&mut self, head: &[String], columns: usize) {
        self.join(Last::Block);
        self.cells(head, columns);
        self.out.push_str("\n|");
        self.out.push_str(&" --- |".repeat(columns));
    }

    /// Writes a row of the table that was begun last.
    pub(crate) fn table_row(&mut self, row: &[String], columns: usize) {
        self.out.push('\n');
        self.cells(row, row.len().max(columns.min(PADDED)));
    }

    fn cells(&mut self, row: &[String], width: usize) {
        self.out.push('|');
        for column in 0..width {
            let cell = row.get(column).map(|cell| one_line(cell).replace('|', "\\|")).unwrap_or_default();
            self.out.push_str(&format!(" {cell} |"));
        }
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn join(&mut self, next: Last) {
        match (self.last, next) {
            (Last::Nothing, _) => {}
            (Last::Item, Last::Item) => self.out.push('\n'),
            _ => self.out.push_str("\n\n"),
        }
        self.last = next;
    }
}

/// Three columns per level: enough for CommonMark to nest under "-" and under "1.".
fn indent(depth: usize) -> String {
    "   ".repeat(depth.min(8))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_separated_by_a_blank_line_and_items_by_a_line_break() {
        let mut markdown = Markdown::default();
        markdown.heading(2, "Con\ntents");
        markdown.item(0, "1.", "one");
        markdown.item(1, "-", "deep\nbroken");
        markdown.item_paragraph(0, "more");
        markdown.paragraph("  end ");
        assert_eq!(markdown.finish(), "## Con tents\n\n1. one\n   - deep\n     broken\n\n  more\n\nend");
    }

    #[test]
    fn a_table_has_as_many_columns_as_its_widest_row() {
        let mut markdown = Markdown::default();
        markdown.table(&[vec!["a".into()], vec!["b|c".into(), "d\ne".into()]]);
        assert_eq!(markdown.finish(), "| a |  |\n| --- | --- |\n| b\\|c | d e |");
    }

    #[test]
    fn a_table_of_one_column_becomes_paragraphs() {
        let mut markdown = Markdown::default();
        markdown.table(&[vec!["a".into()], vec!["b".into()]]);
        assert_eq!(markdown.finish(), "a\n\nb");
    }

    #[test]
    fn code_is_fenced_whatever_it_contains() {
        let mut markdown = Markdown::default();
        markdown.code("  x\n```\n");
        assert_eq!(markdown.finish(), "~~~~\n  x\n```\n~~~~");
    }

    #[test]
    fn empty_blocks_leave_no_trace() {
        let mut markdown = Markdown::default();
        markdown.heading(1, " ");
        markdown.paragraph("\n");
        markdown.item(0, "-", "");
        markdown.table(&[vec![" ".into(), String::new()]]);
        assert_eq!(markdown.len(), 0);
    }
}
