//! Where the blocks of a document go: to the text, to the open cell, or aside as lines of a note or a header.

use std::collections::BTreeSet;

use super::letters::PAGE_NUMBER;
use crate::block::Block;
use crate::grid::Tables;
use crate::markdown::Markdown;
use crate::reject::Reject;

/// Text beside the main text.
#[derive(Debug)]
enum Aside {
    /// A note, with the label of its reference.
    Note(String),
    /// A header of pages.
    Header,
}

/// The text that has been read.
#[derive(Debug)]
pub(super) struct Sink {
    markdown: Markdown,
    pub(super) tables: Tables,
    aside: Option<(Aside, Vec<String>)>,
    /// The levels of the lists that the last item is in.
    levels: Vec<usize>,
    /// Lines of a program that the next block may add to.
    code: Option<String>,
    /// The lines of headers that are written.
    headers: BTreeSet<String>,
    limit: usize,
}

impl Sink {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            markdown: Markdown::default(),
            tables: Tables::new(limit),
            aside: None,
            levels: Vec::new(),
            code: None,
            headers: BTreeSet::new(),
            limit,
        }
    }

    /// Adds a block.
    ///
    /// # Errors
    /// There is too much text.
    pub(super) fn push(&mut self, block: Block) -> Result<(), Reject> {
        let block = match self.in_cell(block) {
            Some(block) => block,
            None => return Ok(()),
        };
        if let Some((_, lines)) = &mut self.aside {
            lines.push(block.lines().trim().to_owned());
            return Ok(());
        }
        if !matches!(block, Block::Item { .. }) {
            self.levels.clear();
        }
        match (block, &mut self.code) {
            (Block::Code(line), Some(code)) => {
                code.push('\n');
                code.push_str(&line);
            }
            // An empty line does not begin a program.
            (Block::Code(line), None) if !line.is_empty() => self.code = Some(line),
            (Block::Code(_), None) => {}
            (block, _) => {
                self.end_code();
                block.write(&mut self.markdown);
            }
        }
        match self.markdown.len() > self.limit {
            true => Err(Reject::TooLarge(self.limit)),
            false => Ok(()),
        }
    }

    /// Adds a block to the open cell, or gives it back if there is none.
    fn in_cell(&mut self, block: Block) -> Option<Block> {
        let last = self.tables.cell().and_then(|cell| cell.blocks.last_mut());
        match (last, block) {
            (Some(Block::Code(code)), Block::Code(line)) => {
                code.push('\n');
                code.push_str(&line);
                None
            }
            (_, block) => self.tables.push(block),
        }
    }

    /// How deep an item of this level is, seen from the first item of its list.
    pub(super) fn depth(&mut self, level: usize) -> usize {
        if self.tables.cell().is_some() {
            return 0;
        }
        self.levels.retain(|open| *open < level);
        self.levels.push(level);
        self.levels.len() - 1
    }

    /// Whether what is read is a header.
    pub(super) fn in_header(&self) -> bool {
        matches!(self.aside, Some((Aside::Header, _)))
    }

    /// Whether what is read is main text.
    pub(super) fn in_main_text(&self) -> bool {
        self.aside.is_none()
    }

    pub(super) fn begin_note(&mut self, label: String) {
        self.aside = Some((Aside::Note(label), Vec::new()));
    }

    pub(super) fn begin_header(&mut self) {
        self.aside = Some((Aside::Header, Vec::new()));
    }

    /// Ends a note or a header, and writes it.
    ///
    /// # Errors
    /// There is too much text.
    pub(super) fn end_aside(&mut self) -> Result<(), Reject> {
        match self.aside.take() {
            Some((Aside::Note(label), lines)) => {
                let text = lines.join("\n");
                match text.trim() {
                    "" => Ok(()),
                    text => self.push(Block::Paragraph(format!("[^{label}]: {text}"))),
                }
            }
            Some((Aside::Header, lines)) => {
                for line in lines {
                    if !line.is_empty() && self.headers.insert(line.clone()) {
                        self.push(Block::Paragraph(line))?;
                    }
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The text.
    pub(super) fn finish(mut self) -> String {
        self.end_code();
        self.markdown.finish()
    }

    fn end_code(&mut self) {
        if let Some(code) = self.code.take() {
            self.markdown.code(&code);
        }
    }
}

/// A line of a header without the numbers of pages, which stand in it as [`PAGE_NUMBER`]; none if that was all.
pub(super) fn header_line(text: &str) -> String {
    let pieces = text.split(['\t', '\n']).filter_map(|piece| {
        if !piece.contains(PAGE_NUMBER) {
            return Some(piece.trim().to_owned());
        }
        let rest = piece.replace(PAGE_NUMBER, " ");
        // "Page 3 of 4", "- 3 -", "Seite 3 von 4".
        let words = rest.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
        (words > 2).then(|| rest.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::header_line;

    #[test]
    fn numbers_of_pages_are_no_text_of_a_header() {
        for (line, expected) in [
            ("Contract No. 4711\tPage \0 of \0", "Contract No. 4711"),
            ("- \0 -", ""),
            ("Seite \0 von \0", ""),
            ("Contract No. 4711, page \0", "Contract No. 4711, page"),
            ("Acme Ltd", "Acme Ltd"),
        ] {
            assert_eq!(header_line(line), expected);
        }
    }
}
