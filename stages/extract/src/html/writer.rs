//! Collects the text of a page in blocks.

use super::block::Block;
use super::content::{Placed, Zone};
use super::inline::{Inline, Space};
use super::list::List;
use super::names;
use super::table::{CellKind, Span, Table};
use super::tag::Tag;

/// Tables nested deeper are read as text.
const DEEPEST_TABLE: usize = 32;

/// What the current text is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Paragraph,
    Heading(u8),
    /// The first paragraph of a list item, with this label.
    Item(String),
    /// A later paragraph of a list item.
    InItem,
    Code,
}

/// The state between two tags.
#[derive(Debug)]
pub(super) struct Writer {
    /// The text of the open block.
    pub(super) inline: Inline,
    /// Where in the page the open block stands.
    pub(super) zone: Zone,
    /// How many of the open elements keep line breaks.
    pub(super) lines: usize,
    kind: Kind,
    lists: Vec<List>,
    tables: Vec<Table>,
    /// Tables nested too deep.
    flat_tables: usize,
    preformatted: usize,
    blocks: Vec<Placed>,
    written: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            inline: Inline::default(),
            zone: Zone::Page,
            lines: 0,
            kind: Kind::Paragraph,
            lists: Vec::new(),
            tables: Vec::new(),
            flat_tables: 0,
            preformatted: 0,
            blocks: Vec::new(),
            written: 0,
        }
    }
}

impl Writer {
    /// The number of bytes of text so far, nearly.
    pub(super) fn len(&self) -> usize {
        self.written + self.inline.len()
    }

    /// The blocks of the page.
    pub(super) fn finish(mut self) -> Vec<Placed> {
        self.flush();
        while !self.tables.is_empty() {
            self.flat_tables = 0;
            self.end_table();
        }
        self.blocks
    }

    /// Whether white space is kept.
    pub(super) fn is_preformatted(&self) -> bool {
        self.preformatted > 0
    }

    /// Adds text.
    pub(super) fn text(&mut self, text: &str) {
        let space = match (self.preformatted, self.lines) {
            (1.., _) => Space::IsKept,
            (0, 1..) => Space::KeepsLines,
            (0, 0) => Space::Collapses,
        };
        self.inline.push(text, space);
    }

    /// Begins an element.
    pub(super) fn start(&mut self, tag: Tag) {
        let name = tag.name();
        match name {
            b"pre" | b"listing" | b"xmp" | b"plaintext" => {
                self.flush();
                self.preformatted += 1;
                self.kind = Kind::Code;
            }
            b"table" => self.start_table(tag),
            b"thead" | b"tbody" | b"tfoot" => self.section(name == b"thead"),
            b"tr" => {
                self.flush();
                if let Some(table) = self.open_table() {
                    table.row();
                }
            }
            b"td" | b"th" => self.start_cell(tag),
            _ if self.is_preformatted() && names::is_block(name) => self.inline.end_line(),
            b"ul" | b"ol" | b"menu" | b"dir" => {
                self.flush();
                self.lists.push(List::of(tag));
            }
            b"li" => {
                self.flush();
                let label = self.lists.last_mut().map_or_else(|| "-".to_owned(), |list| list.item(tag));
                self.kind = Kind::Item(label);
            }
            _ => match names::heading_level(name) {
                Some(level) => {
                    self.flush();
                    self.kind = Kind::Heading(level);
                }
                None if names::is_block(name) => self.flush(),
                None => {}
            },
        }
    }

    /// Ends an element that was begun.
    pub(super) fn end(&mut self, name: &[u8]) {
        match name {
            b"pre" | b"listing" | b"xmp" | b"plaintext" => {
                self.flush();
                self.preformatted = self.preformatted.saturating_sub(1);
                self.kind = self.default_kind();
            }
            b"table" => {
                self.flush();
                self.end_table();
            }
            b"thead" | b"tbody" | b"tfoot" => self.section(false),
            b"td" | b"th" | b"tr" => {
                self.flush();
                if let Some(table) = self.open_table() {
                    table.end_cell();
                }
            }
            _ if self.is_preformatted() && names::is_block(name) => self.inline.end_line(),
            b"ul" | b"ol" | b"menu" | b"dir" => {
                self.flush();
                self.end_list();
            }
            b"li" => {
                self.flush();
                self.kind = self.default_kind();
            }
            _ if names::is_block(name) => self.flush(),
            _ => {}
        }
    }

    /// Ends the block before and begins one, for elements that only look like blocks.
    pub(super) fn boundary(&mut self) {
        match self.is_preformatted() {
            true => self.inline.end_line(),
            false => self.flush(),
        }
    }

    fn start_table(&mut self, tag: Tag) {
        self.flush();
        if self.tables.len() >= DEEPEST_TABLE {
            self.flat_tables += 1;
            return;
        }
        let is_layout = tag.is("role", "presentation") || tag.is("role", "none");
        self.tables.push(Table::new(self.lists.len(), is_layout));
    }

    fn section(&mut self, is_head: bool) {
        self.flush();
        if let Some(table) = self.open_table() {
            table.section(is_head);
        }
    }

    fn start_cell(&mut self, tag: Tag) {
        self.flush();
        let kind = if tag.name() == b"th" { CellKind::Head } else { CellKind::Data };
        let extent = |attribute, most: i64| {
            let number = tag.number(attribute).unwrap_or(1);
            // Zero rows are all that follow.
            let number = if number == 0 && attribute == "rowspan" { most } else { number };
            usize::try_from(number.clamp(1, most)).unwrap_or(1)
        };
        let span = Span { columns: extent("colspan", 1000), rows: extent("rowspan", 65_534) };
        if let Some(table) = self.open_table() {
            table.cell(kind, span);
        }
        self.kind = self.default_kind();
    }

    /// The innermost table, unless tables are nested too deep here.
    fn open_table(&mut self) -> Option<&mut Table> {
        match self.flat_tables {
            0 => self.tables.last_mut(),
            _ => None,
        }
    }

    fn end_table(&mut self) {
        if self.flat_tables > 0 {
            self.flat_tables -= 1;
            return;
        }
        let Some(table) = self.tables.pop() else { return };
        for block in table.into_blocks() {
            self.push(block);
        }
        self.kind = self.default_kind();
    }

    fn end_list(&mut self) {
        if let Some(list) = self.lists.pop() {
            for (position, number) in list.countdown() {
                if let Some(Block::Item { label, .. }) = self.written_at(position) {
                    *label = number;
                }
            }
        }
        self.kind = self.default_kind();
    }

    /// What text without a tag of its own is at this position.
    fn default_kind(&self) -> Kind {
        match self.lists.len() > self.lists_around() {
            _ if self.is_preformatted() => Kind::Code,
            true => Kind::InItem,
            false => Kind::Paragraph,
        }
    }

    /// The number of lists around the open cell: they do not indent what is in it.
    fn lists_around(&self) -> usize {
        self.tables.last().map_or(0, |table| table.lists)
    }

    /// Writes the current text as the block it belongs to.
    fn flush(&mut self) {
        let inline = self.inline.take();
        let text = match self.kind {
            Kind::Code => inline.trim_end().trim_matches('\n'),
            _ => inline.trim_matches([' ', '\n']),
        };
        let is_empty = text.trim().is_empty();
        if !is_empty {
            let depth = self.lists.len().saturating_sub(self.lists_around() + 1);
            let block = match &self.kind {
                Kind::Paragraph => Block::Paragraph(lines(text)),
                Kind::Heading(level) => Block::Heading(*level, text.to_owned()),
                Kind::Item(label) => Block::Item { depth, label: label.clone(), text: lines(text) },
                Kind::InItem => Block::InItem { depth, text: lines(text) },
                Kind::Code => Block::Code(text.to_owned()),
            };
            if matches!(block, Block::Item { .. }) {
                let position = self
                    .tables
                    .iter_mut()
                    .rev()
                    .find_map(Table::open_cell)
                    .map_or(self.blocks.len(), |cell| cell.len());
                if let Some(list) = self.lists.last_mut() {
                    list.written(position);
                }
            }
            self.push(block);
        }
        // An item keeps its marker until it has text: `<li><p>` is common.
        if !is_empty || !matches!(self.kind, Kind::Item(_)) {
            self.kind = self.default_kind();
        }
    }

    /// A block of the open cell, or of the page.
    fn written_at(&mut self, position: usize) -> Option<&mut Block> {
        match self.tables.iter_mut().rev().find_map(Table::open_cell) {
            Some(cell) => cell.get_mut(position),
            None => self.blocks.get_mut(position).map(|placed| &mut placed.block),
        }
    }

    /// Adds a block to the open cell or to the page.
    fn push(&mut self, block: Block) {
        self.written += block.len();
        // Text in a table but in none of its cells is shown above the table.
        match self.tables.iter_mut().rev().find_map(Table::open_cell) {
            Some(cell) => cell.push(block),
            None => self.blocks.push(Placed { block, zone: self.zone }),
        }
    }
}

/// Trims the spaces around line breaks.
fn lines(text: &str) -> String {
    text.split('\n').map(|line| line.trim_matches(' ')).collect::<Vec<_>>().join("\n")
}
