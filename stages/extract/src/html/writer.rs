//! Converts the tags and text of a page to Markdown blocks.

use super::table::Table;
use crate::markdown::{Markdown, Marker};
use crate::whitespace;

/// An open list.
#[derive(Debug)]
enum List {
    Bullets,
    Numbers { next: u64 },
}

/// The block that the current text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Paragraph,
    Heading(u8),
    /// The first paragraph of a list item.
    Item(Marker),
    /// A later paragraph of a list item.
    InItem,
    Code,
}

/// The state between two tags.
#[derive(Debug)]
pub(super) struct Writer {
    markdown: Markdown,
    inline: String,
    block: Block,
    lists: Vec<List>,
    table: Option<Table>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            markdown: Markdown::default(),
            inline: String::new(),
            block: Block::Paragraph,
            lists: Vec::new(),
            table: None,
        }
    }
}

impl Writer {
    /// The number of bytes of text so far.
    pub(super) fn len(&self) -> usize {
        self.markdown.len() + self.inline.len()
    }

    /// The text of the page.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.end_table();
        self.markdown.finish()
    }

    /// Processes a start tag; `number` is the first number of an ordered list.
    pub(super) fn start(&mut self, name: &[u8], number: u64) {
        match name {
            b"br" => self.inline.push('\n'),
            b"pre" => self.begin(Block::Code),
            b"ul" | b"menu" => self.open_list(List::Bullets),
            b"ol" => self.open_list(List::Numbers { next: number }),
            b"li" => self.item(),
            b"table" => {
                self.flush();
                self.dissolve_table();
                self.table = Some(Table::default());
            }
            b"tr" => {
                self.flush();
                if let Some(table) = &mut self.table {
                    table.row();
                }
            }
            b"td" | b"th" => {
                self.flush();
                if let Some(table) = &mut self.table {
                    table.cell();
                }
            }
            _ => {
                if let Some(level) = heading_level(name) {
                    self.begin(Block::Heading(level));
                    // A heading inside a cell: the table is used for page layout.
                    self.dissolve_table();
                } else if is_block(name) {
                    self.flush();
                }
            }
        }
    }

    /// Processes an end tag.
    pub(super) fn end(&mut self, name: &[u8]) {
        match name {
            b"ul" | b"ol" | b"menu" => {
                self.flush();
                self.lists.pop();
                self.block = self.default_block();
            }
            b"li" => {
                self.flush();
                self.block = self.default_block();
            }
            b"table" => {
                self.flush();
                self.end_table();
            }
            b"td" | b"th" | b"tr" => {
                self.flush();
                if let Some(table) = &mut self.table {
                    table.end_cell();
                }
            }
            b"pre" => self.flush(),
            _ if heading_level(name).is_some() || is_block(name) => self.flush(),
            _ => {}
        }
    }

    /// Adds text; white space collapses outside of `<pre>`.
    pub(super) fn text(&mut self, text: &str) {
        if self.block == Block::Code {
            self.inline.push_str(text);
            return;
        }
        for letter in text.chars() {
            match letter {
                ' ' | '\t' | '\n' | '\r' | '\x0C' => {
                    if !self.inline.is_empty() && !self.inline.ends_with([' ', '\n']) {
                        self.inline.push(' ');
                    }
                }
                _ => self.inline.push(whitespace::plain(letter)),
            }
        }
    }

    fn begin(&mut self, block: Block) {
        self.flush();
        self.block = block;
    }

    fn open_list(&mut self, list: List) {
        self.flush();
        self.lists.push(list);
    }

    fn item(&mut self) {
        self.flush();
        self.block = match self.lists.last_mut() {
            Some(List::Numbers { next }) => {
                let number = *next;
                *next = next.saturating_add(1);
                Block::Item(Marker::Number(number))
            }
            Some(List::Bullets) | None => Block::Item(Marker::Bullet),
        };
    }

    /// The block for text without a tag of its own at this position.
    fn default_block(&self) -> Block {
        match self.lists.is_empty() {
            true => Block::Paragraph,
            false => Block::InItem,
        }
    }

    /// Writes the current text as the block it belongs to.
    fn flush(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        let text = match self.block {
            Block::Code => inline.as_str(),
            _ => inline.trim_matches([' ', '\n']),
        };
        if !text.is_empty() && !self.table.as_mut().is_some_and(|table| table.push(text)) {
            let depth = self.lists.len().saturating_sub(1);
            match self.block {
                Block::Paragraph => self.markdown.paragraph(&lines(text)),
                Block::Heading(level) => self.markdown.heading(level, text),
                Block::Item(marker) => self.markdown.item(depth, marker, &lines(text)),
                Block::InItem => self.markdown.item_paragraph(depth, &lines(text)),
                Block::Code => self.markdown.code(text),
            }
        }
        // An item keeps its marker until it has text: `<li><p>` is common.
        if !text.is_empty() || !matches!(self.block, Block::Item(_)) {
            self.block = self.default_block();
        }
    }

    fn end_table(&mut self) {
        if let Some(table) = self.table.take() {
            self.markdown.table(&table.into_rows());
        }
    }

    /// Writes the cells as paragraphs: a table with headings or another table in it is used for page layout.
    fn dissolve_table(&mut self) {
        if let Some(table) = self.table.take() {
            for cell in table.into_cells() {
                self.markdown.paragraph(cell.trim());
            }
        }
    }
}

fn heading_level(name: &[u8]) -> Option<u8> {
    match name {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

fn is_block(name: &[u8]) -> bool {
    const BLOCKS: &[&[u8]] = &[
        b"address",
        b"article",
        b"aside",
        b"blockquote",
        b"body",
        b"caption",
        b"center",
        b"dd",
        b"details",
        b"dialog",
        b"div",
        b"dl",
        b"dt",
        b"fieldset",
        b"figcaption",
        b"figure",
        b"footer",
        b"form",
        b"head",
        b"header",
        b"hr",
        b"html",
        b"legend",
        b"main",
        b"option",
        b"p",
        b"search",
        b"section",
        b"summary",
    ];
    BLOCKS.contains(&name)
}

/// Trims the spaces around line breaks.
fn lines(text: &str) -> String {
    text.split('\n').map(|line| line.trim_matches(' ')).collect::<Vec<_>>().join("\n")
}
