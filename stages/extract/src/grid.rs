//! Tables with merged cells: the text of a merged cell is repeated in each place it covers, so that every value stays in its
//! row and under its heading.

use crate::block::Block;
use crate::reject::Reject;

/// The most columns that a cell may cover; Word allows 63.
const WIDEST: usize = 64;

/// A longer text of a merged cell is written once: it is text set in a table, not a value.
const LONGEST_REPEATED: usize = 500;

/// A table inside so many others is read as text of the cell around it.
const DEEPEST: usize = 16;

/// Whether a cell is merged with one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Above {
    /// It is not.
    #[default]
    Apart,
    /// It is a part of the cell above.
    Merged,
    /// It is a part of the cell before it.
    MergedBefore,
}

/// A cell being read.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// What it holds.
    pub(crate) blocks: Vec<Block>,
    /// How many columns it covers.
    pub(crate) columns: usize,
    /// How many rows it covers.
    pub(crate) rows: usize,
    /// Whether it is the lower part of a cell.
    pub(crate) above: Above,
    /// Whether it has been deleted.
    pub(crate) is_deleted: bool,
    /// What it holds as lines, once it cannot be a frame around blocks.
    lines: Option<Box<str>>,
}

/// A row being read.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// How many columns are left out before the first cell.
    pub(crate) before: usize,
    /// Whether it has been deleted or hidden.
    pub(crate) is_deleted: bool,
    cells: Vec<Cell>,
}

impl Row {
    /// A row of several cells makes its table one of lines, which take much less memory than blocks: there may be many.
    fn settle(&mut self) {
        if self.cells.len() > 1 {
            for cell in &mut self.cells {
                let blocks = std::mem::take(&mut cell.blocks);
                cell.lines = Some(lines(&blocks).into_boxed_str());
            }
        }
    }

    /// Removes the empty cells at its end; a row without any other is gone.
    pub(crate) fn trim(&mut self) {
        while self.cells.last().is_some_and(|cell| cell.blocks.is_empty() && !cell.is_deleted) {
            self.cells.pop();
        }
        self.is_deleted |= self.cells.is_empty();
    }
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
}

/// The open tables, the innermost last.
#[derive(Debug)]
pub(crate) struct Tables {
    open: Vec<Table>,
    /// Open tables beyond the deepest.
    deeper: usize,
    /// The most bytes that a table may have.
    limit: usize,
}

impl Tables {
    /// No table is open; `limit` bounds the text of each, in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { open: Vec::new(), deeper: 0, limit }
    }

    /// Begins a table.
    pub(crate) fn open(&mut self) {
        match self.open.len() < DEEPEST {
            true => self.open.push(Table::default()),
            false => self.deeper += 1,
        }
    }

    /// Begins a row of the innermost table.
    pub(crate) fn begin_row(&mut self) {
        if let Some(table) = self.open.last_mut().filter(|_| self.deeper == 0) {
            if let Some(row) = table.rows.last_mut() {
                row.settle();
            }
            table.rows.push(Row::default());
        }
    }

    /// Begins a cell of the last row.
    pub(crate) fn begin_cell(&mut self) {
        if let Some(row) = self.open.last_mut().filter(|_| self.deeper == 0).and_then(|table| table.rows.last_mut()) {
            row.cells.push(Cell::default());
        }
    }

    /// The last row of the innermost table.
    pub(crate) fn row(&mut self) -> Option<&mut Row> {
        self.open.last_mut()?.rows.last_mut()
    }

    /// The last cell of the last row.
    pub(crate) fn cell(&mut self) -> Option<&mut Cell> {
        self.row()?.cells.last_mut()
    }

    /// Adds a block to the open cell, or gives it back if there is none.
    pub(crate) fn push(&mut self, block: Block) -> Option<Block> {
        match self.cell() {
            Some(cell) => {
                cell.blocks.push(block);
                None
            }
            None => Some(block),
        }
    }

    /// Ends the innermost table and returns what it has become, unless it has become a part of the cell around it.
    ///
    /// # Errors
    /// Merged cells make more text of it than there may be.
    pub(crate) fn close(&mut self) -> Result<Vec<Block>, Reject> {
        if let Some(deeper) = self.deeper.checked_sub(1) {
            self.deeper = deeper;
            return Ok(Vec::new());
        }
        let Some(table) = self.open.pop() else {
            return Ok(Vec::new());
        };
        let blocks = table.blocks(self.limit)?;
        if self.open.is_empty() {
            return Ok(blocks);
        }
        for block in blocks {
            // Text between the rows of a table, in no cell, is not shown.
            self.push(block);
        }
        Ok(Vec::new())
    }
}

impl Table {
    /// A table of one column is a frame around its blocks.
    fn blocks(self, limit: usize) -> Result<Vec<Block>, Reject> {
        let rows: Vec<Row> = self.rows.into_iter().filter(|row| !row.is_deleted).collect();
        let is_frame =
            rows.iter().all(|row| row.before == 0 && row.cells.iter().filter(|cell| !cell.is_deleted).count() < 2);
        if is_frame && rows.iter().all(|row| row.cells.iter().all(|cell| cell.lines.is_none())) {
            return Ok(rows
                .into_iter()
                .flat_map(|row| row.cells)
                .filter(|cell| !cell.is_deleted)
                .flat_map(|cell| cell.blocks)
                .collect());
        }
        let rows = grid(rows, limit)?;
        match rows.iter().flatten().all(|text| text.trim().is_empty()) {
            true => Ok(Vec::new()),
            false => Ok(vec![Block::Table(rows)]),
        }
    }
}

/// What a cell that covers more rows leaves for those below.
#[derive(Debug, Clone, Default)]
struct Hanging {
    text: String,
    rows: usize,
}

fn grid(rows: Vec<Row>, limit: usize) -> Result<Vec<Vec<String>>, Reject> {
    let mut size = 0_usize;
    let mut hanging: Vec<Hanging> = Vec::new();
    let mut grid: Vec<Vec<String>> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut line: Vec<String> = vec![String::new(); row.before.min(WIDEST)];
        for cell in row.cells.into_iter().filter(|cell| !cell.is_deleted) {
            cover(&mut line, &mut hanging);
            let own = cell.lines.map_or_else(|| lines(&cell.blocks), String::from);
            let text = match (cell.above, hanging.get(line.len())) {
                (Above::Merged, Some(above)) if own.trim().is_empty() => above.text.clone(),
                (Above::MergedBefore, _) if own.trim().is_empty() => line.last().cloned().unwrap_or_default(),
                _ => own,
            };
            let repeated = if text.len() > LONGEST_REPEATED { "" } else { text.as_str() };
            let columns = cell.columns.clamp(1, WIDEST);
            size =
                size.saturating_add(text.len()).saturating_add(repeated.len() * (columns - 1)).saturating_add(columns);
            for _ in 0..columns {
                if hanging.len() <= line.len() {
                    hanging.resize(line.len() + 1, Hanging::default());
                }
                // Below, the text is found again by its column.
                hanging[line.len()] = Hanging { text: repeated.to_owned(), rows: cell.rows.saturating_sub(1) };
                line.push(repeated.to_owned());
            }
            if let Some(first) = line.len().checked_sub(columns).and_then(|place| line.get_mut(place)) {
                *first = text;
            }
        }
        cover(&mut line, &mut hanging);
        size = size.saturating_add(line.iter().map(String::len).sum());
        if size > limit {
            return Err(Reject::TooLarge(limit));
        }
        grid.push(line);
    }
    Ok(grid)
}

fn lines(blocks: &[Block]) -> String {
    match blocks {
        [block] => block.lines(),
        blocks => blocks.iter().map(Block::lines).collect::<Vec<_>>().join("\n"),
    }
}

/// Fills the next places of a row with the cells that reach down to them.
fn cover(line: &mut Vec<String>, hanging: &mut [Hanging]) {
    while let Some(above) = hanging.get_mut(line.len()).filter(|above| above.rows > 0) {
        above.rows -= 1;
        line.push(above.text.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str, columns: usize, rows: usize) -> Cell {
        Cell { blocks: vec![Block::Paragraph(text.into())], columns, rows, ..Cell::default() }
    }

    fn below() -> Cell {
        Cell { above: Above::Merged, ..Cell::default() }
    }

    fn table(rows: Vec<Row>) -> Vec<Block> {
        Table { rows }.blocks(100_000).unwrap()
    }

    fn row(cells: Vec<Cell>) -> Row {
        Row { cells, ..Row::default() }
    }

    fn texts(rows: &[&[&str]]) -> Vec<Block> {
        vec![Block::Table(rows.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect())]
    }

    #[test]
    fn a_cell_over_columns_and_rows_repeats_its_text() {
        let by_count = table(vec![
            row(vec![cell("a", 1, 2), cell("b", 2, 1)]),
            row(vec![cell("c", 1, 1), cell("d", 1, 1)]),
            row(vec![cell("e", 1, 1), cell("f", 1, 1), cell("g", 1, 1)]),
        ]);
        let expected = texts(&[&["a", "b", "b"], &["a", "c", "d"], &["e", "f", "g"]]);
        assert_eq!(by_count, expected);
        let by_mark = table(vec![
            row(vec![cell("a", 1, 1), cell("b", 2, 1)]),
            row(vec![below(), cell("c", 1, 1), cell("d", 1, 1)]),
            row(vec![cell("e", 1, 1), cell("f", 1, 1), cell("g", 1, 1)]),
        ]);
        assert_eq!(by_mark, expected);
    }

    #[test]
    fn places_before_the_first_cell_are_empty_and_deleted_rows_and_cells_are_gone() {
        let rows = vec![
            row(vec![cell("a", 1, 1), cell("b", 1, 1)]),
            Row { is_deleted: true, ..row(vec![cell("x", 1, 1), cell("y", 1, 1)]) },
            Row { before: 1, ..row(vec![Cell { is_deleted: true, ..cell("z", 1, 1) }, cell("c", 1, 1)]) },
        ];
        assert_eq!(table(rows), texts(&[&["a", "b"], &["", "c"]]));
    }

    #[test]
    fn a_long_text_of_a_merged_cell_is_written_once() {
        let long = "word ".repeat(200);
        let blocks = table(vec![row(vec![cell(&long, 3, 1), cell("x", 1, 1)])]);
        assert_eq!(blocks, texts(&[&[&long, "", "", "x"]]));
    }

    #[test]
    fn a_table_of_one_column_is_a_frame_around_its_blocks() {
        let heading = Block::Heading(2, "Terms".into());
        let framed = Cell { blocks: vec![heading.clone()], ..Cell::default() };
        assert_eq!(table(vec![row(vec![framed])]), [heading]);
    }

    #[test]
    fn merged_cells_that_make_too_much_text_are_too_large() {
        let rows = (0..1000).map(|_| row(vec![cell("some words", 60, 1), cell("x", 1, 1)])).collect();
        assert_eq!(Table { rows }.blocks(50_000), Err(Reject::TooLarge(50_000)));
    }
}
