//! The open tables while a document is read; a table within a cell becomes text of that cell.

/// The open tables, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<Vec<Vec<String>>>);

impl Tables {
    /// Begins a table.
    pub(super) fn open(&mut self) {
        self.0.push(Vec::new());
    }

    /// Begins a row of the innermost table.
    pub(super) fn row(&mut self) {
        if let Some(table) = self.0.last_mut() {
            table.push(Vec::new());
        }
    }

    /// Begins a cell of the last row.
    pub(super) fn cell(&mut self) {
        if let Some(row) = self.0.last_mut().and_then(|table| table.last_mut()) {
            row.push(String::new());
        }
    }

    /// Adds text to the open cell; false if there is none.
    pub(super) fn push(&mut self, text: &str) -> bool {
        let cell = self.0.last_mut().and_then(|table| table.last_mut()).and_then(|row| row.last_mut());
        match cell {
            Some(cell) => {
                cell.push_str(text);
                cell.push('\n');
                true
            }
            None => false,
        }
    }

    /// Ends the innermost table and returns its rows, or `None` if they became text of the cell around it.
    pub(super) fn close(&mut self) -> Option<Vec<Vec<String>>> {
        let rows = self.0.pop()?;
        if self.0.is_empty() {
            return Some(rows);
        }
        for row in rows {
            self.push(&row.join(" "));
        }
        None
    }
}
