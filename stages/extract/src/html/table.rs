//! A table while it is read, and what becomes of it: merged cells are repeated, tables for page layout dissolve.

use super::block::Block;

/// The widest table, as in browsers.
const WIDEST: usize = 1000;
/// How many cells of a table may be repetitions. Beyond that, merged cells are not repeated.
const MOST_REPEATED: usize = 100_000;
/// How many bytes these may have together.
const MOST_REPEATED_BYTES: usize = 1 << 20;

/// The kind of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// `<th>`.
    Head,
    /// `<td>`.
    Data,
}

/// How many columns and rows a cell covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The columns, at least one.
    pub(super) columns: usize,
    /// The rows, at least one; those beyond the section do not count.
    pub(super) rows: usize,
}

#[derive(Debug)]
struct Cell {
    kind: CellKind,
    span: Span,
    blocks: Vec<Block>,
}

#[derive(Debug, Default)]
struct Row {
    cells: Vec<Cell>,
    section: usize,
    in_head: bool,
}

/// A table being read.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    section: usize,
    in_head: bool,
    is_cell_open: bool,
    is_layout: bool,
    /// The number of lists around the table: those in a cell begin anew.
    pub(super) lists: usize,
}

impl Table {
    /// A table inside of `lists` lists.
    pub(super) fn new(lists: usize, is_layout: bool) -> Self {
        Self { lists, is_layout, ..Self::default() }
    }

    /// Begins or ends a section; one is the head.
    pub(super) fn section(&mut self, in_head: bool) {
        self.section += 1;
        self.in_head = in_head;
    }

    /// Begins a row.
    pub(super) fn row(&mut self) {
        self.end_cell();
        self.rows.push(Row { cells: Vec::new(), section: self.section, in_head: self.in_head });
    }

    /// Begins a cell, and a row if there is none yet.
    pub(super) fn cell(&mut self, kind: CellKind, span: Span) {
        if self.rows.is_empty() {
            self.row();
        }
        if let Some(row) = self.rows.last_mut() {
            row.cells.push(Cell { kind, span, blocks: Vec::new() });
            self.is_cell_open = true;
        }
    }

    /// Ends the open cell, if any.
    pub(super) fn end_cell(&mut self) {
        self.is_cell_open = false;
    }

    /// The blocks of the open cell.
    pub(super) fn open_cell(&mut self) -> Option<&mut Vec<Block>> {
        if !self.is_cell_open {
            return None;
        }
        self.rows.last_mut()?.cells.last_mut().map(|cell| &mut cell.blocks)
    }

    /// The table as a block, or its cells one after the other if it only places them on the page.
    pub(super) fn into_blocks(mut self) -> Vec<Block> {
        self.rows.retain(|row| !row.cells.is_empty());
        if !self.is_layout && !self.looks_like_layout() {
            let has_head = self.has_head();
            let mut grid = self.grid();
            if grid.iter().any(|row| row.len() > 1) {
                if grid.iter().flatten().all(String::is_empty) {
                    return Vec::new();
                }
                if !has_head {
                    grid.insert(0, Vec::new());
                }
                return vec![Block::Table(grid)];
            }
        }
        let cells = self.rows.into_iter().flat_map(|row| row.cells);
        // The numbers of lines beside a program.
        cells.flat_map(|cell| cell.blocks).filter(|block| !is_numbers(block)).collect()
    }

    fn looks_like_layout(&self) -> bool {
        let is_single = self.rows.len() == 1;
        self.rows.iter().flat_map(|row| &row.cells).any(|cell| {
            let is_data = cell.kind == CellKind::Data;
            cell.blocks.iter().any(|block| match block {
                Block::Heading(..) => is_data,
                Block::Code(text) => text.trim().contains('\n'),
                Block::Table(_) => true,
                _ => false,
            }) || (is_single && is_data && cell.blocks.len() > 1)
        })
    }

    /// Whether the first row has the names of the columns. It has none if head cells name the rows only.
    fn has_head(&self) -> bool {
        let Some(first) = self.rows.first() else { return false };
        let is_named = |cell: &Cell| cell.kind == CellKind::Head || cell.blocks.is_empty();
        let has_names = self.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.kind == CellKind::Head);
        match has_names || first.in_head {
            true => first.in_head || first.cells.iter().all(is_named),
            false => !self.names_rows_with_colons(),
        }
    }

    /// "Height:" and the like in each row.
    fn names_rows_with_colons(&self) -> bool {
        self.rows.iter().all(|row| {
            let name = row.cells.first().and_then(|cell| cell.blocks.last());
            name.is_some_and(|name| name.text_in_cell().trim_end().ends_with(':'))
        })
    }

    /// The texts by row and column; the text of a merged cell is in each place it covers.
    fn grid(&self) -> Vec<Vec<String>> {
        let mut grid = Vec::with_capacity(self.rows.len());
        let mut from_above: Vec<Option<Hanging>> = Vec::new();
        let mut section = None;
        let mut repeated = Repeated::default();
        for row in &self.rows {
            if section.replace(row.section) != Some(row.section) {
                from_above.clear();
            }
            let mut line: Vec<String> = Vec::new();
            for cell in &row.cells {
                hang(&mut line, &mut from_above, &mut repeated);
                let text = text_of(cell);
                for index in 0..cell.span.columns {
                    if line.len() >= WIDEST || (index > 0 && !repeated.allows(text.len())) {
                        break;
                    }
                    let column = line.len();
                    if from_above.len() <= column {
                        from_above.resize_with(column + 1, || None);
                    }
                    from_above[column] =
                        (cell.span.rows > 1).then(|| Hanging { rows: cell.span.rows - 1, text: text.clone() });
                    line.push(text.clone());
                }
            }
            hang_all(&mut line, &mut from_above, &mut repeated);
            grid.push(line);
        }
        grid
    }
}

/// A cell that reaches down into the next rows.
#[derive(Debug)]
struct Hanging {
    rows: usize,
    text: String,
}

/// What was repeated so far.
#[derive(Debug, Default)]
struct Repeated {
    cells: usize,
    bytes: usize,
}

impl Repeated {
    /// Counts a repetition, if it is within the bounds.
    fn allows(&mut self, bytes: usize) -> bool {
        self.cells += 1;
        self.bytes += bytes;
        self.cells <= MOST_REPEATED && self.bytes <= MOST_REPEATED_BYTES
    }
}

/// Fills the next columns of a row with the cells above that reach down into them.
fn hang(line: &mut Vec<String>, from_above: &mut Vec<Option<Hanging>>, repeated: &mut Repeated) {
    while let Some(Some(hanging)) = from_above.get_mut(line.len()) {
        if !repeated.allows(hanging.text.len()) {
            from_above.clear();
            return;
        }
        hanging.rows -= 1;
        let is_last = hanging.rows == 0;
        let column = line.len();
        line.push(hanging.text.clone());
        if is_last {
            from_above[column] = None;
        }
    }
}

/// Fills the rest of a row, in which cells may be missing.
fn hang_all(line: &mut Vec<String>, from_above: &mut Vec<Option<Hanging>>, repeated: &mut Repeated) {
    let width = from_above.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    while line.len() < width {
        hang(line, from_above, repeated);
        if line.len() < width.min(from_above.len()) {
            line.push(String::new());
        } else {
            return;
        }
    }
}

fn text_of(cell: &Cell) -> String {
    let texts: Vec<String> = cell.blocks.iter().map(Block::text_in_cell).collect();
    texts.join(" ")
}

fn is_numbers(block: &Block) -> bool {
    let Block::Code(text) = block else { return false };
    let mut lines = text.split_ascii_whitespace().peekable();
    lines.peek().is_some() && lines.all(|line| line.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[(&str, CellKind, usize, usize)]]) -> Table {
        let mut table = Table::default();
        for row in rows {
            table.row();
            for (text, kind, columns, rows) in *row {
                table.cell(*kind, Span { columns: *columns, rows: *rows });
                table.open_cell().unwrap().push(Block::Paragraph((*text).to_owned()));
            }
        }
        table
    }

    const HEAD: CellKind = CellKind::Head;
    const DATA: CellKind = CellKind::Data;

    #[test]
    fn a_merged_cell_is_in_each_place_it_covers() {
        let table = table(&[
            &[("a", HEAD, 1, 1), ("b", HEAD, 2, 1)],
            &[("c", DATA, 1, 2), ("d", DATA, 1, 1), ("e", DATA, 1, 9)],
            &[("f", DATA, 1, 1)],
        ]);
        assert_eq!(table.grid(), [vec!["a", "b", "b"], vec!["c", "d", "e"], vec!["c", "f", "e"]]);
    }

    #[test]
    fn a_merged_cell_reaches_down_beside_missing_cells() {
        let table = table(&[&[("a", DATA, 1, 1), ("b", DATA, 1, 1), ("c", DATA, 1, 3)], &[("d", DATA, 1, 1)], &[]]);
        assert_eq!(table.grid(), [vec!["a", "b", "c"], vec!["d", "", "c"], vec!["", "", "c"]]);
    }

    #[test]
    fn a_merged_cell_ends_with_its_section() {
        let mut table = table(&[&[("a", HEAD, 1, 5), ("b", HEAD, 1, 1)]]);
        table.section(false);
        table.row();
        table.cell(DATA, Span { columns: 1, rows: 1 });
        assert_eq!(table.grid(), [vec!["a", "b"], vec![""]]);
    }

    #[test]
    fn the_size_of_merged_cells_is_bounded() {
        let row: &[(&str, CellKind, usize, usize)] = &[("x", DATA, 1_000_000, 60_000)];
        let cells: usize = table(&[row; 500]).grid().iter().map(Vec::len).sum();
        assert!(cells <= MOST_REPEATED + 500 * WIDEST, "{cells}");
    }

    #[test]
    fn head_cells_of_rows_do_not_make_the_first_row_a_head() {
        let rows = table(&[&[("Height", HEAD, 1, 1), ("10 m", DATA, 1, 1)]]).into_blocks();
        assert_eq!(rows, [Block::Table(vec![vec![], vec!["Height".into(), "10 m".into()]])]);
        assert!(table(&[&[("a", DATA, 1, 1), ("b", DATA, 1, 1)], &[("c", DATA, 1, 1)]]).has_head());
        assert!(!table(&[&[("a:", DATA, 1, 1), ("b", DATA, 1, 1)], &[("c:", DATA, 1, 1)]]).has_head());
    }
}
