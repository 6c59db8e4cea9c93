//! The open table while a page is read.

/// A table being read.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    cell: Option<String>,
}

impl Table {
    /// Begins a row.
    pub(super) fn row(&mut self) {
        self.end_cell();
        self.rows.push(Vec::new());
    }

    /// Begins a cell, and a row if there is none yet.
    pub(super) fn cell(&mut self) {
        self.end_cell();
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        self.cell = Some(String::new());
    }

    /// Ends the cell, if one is open.
    pub(super) fn end_cell(&mut self) {
        if let Some(cell) = self.cell.take()
            && let Some(row) = self.rows.last_mut()
        {
            row.push(cell);
        }
    }

    /// Adds text to the open cell; false if no cell is open.
    pub(super) fn push(&mut self, text: &str) -> bool {
        match &mut self.cell {
            Some(cell) => {
                cell.push(' ');
                cell.push_str(text);
                true
            }
            None => false,
        }
    }

    /// The rows that have cells.
    pub(super) fn into_rows(mut self) -> Vec<Vec<String>> {
        self.end_cell();
        self.rows.retain(|row| !row.is_empty());
        self.rows
    }

    /// The texts of all cells, row by row.
    pub(super) fn into_cells(self) -> impl Iterator<Item = String> {
        self.into_rows().into_iter().flatten()
    }
}
