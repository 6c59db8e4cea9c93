//! Rows of a table, whose cells are placed by the positions of their right edges.

use std::collections::BTreeSet;

use crate::block::Block;
use crate::grid::{Above, Tables};
use crate::reject::Reject;

/// More edges than a table has columns are hostile.
const MOST_EDGES: usize = 64;

/// A cell as the row defines it.
#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    position: i32,
    is_merged_before: bool,
    is_merged_above: bool,
}

/// The table being read.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<(Vec<Edge>, Vec<String>)>,
    edges: Vec<Edge>,
    next: Edge,
    /// The cells of the row so far.
    cells: Vec<String>,
    cell: String,
}

impl Table {
    /// The definition of a row begins.
    pub(super) fn begin_row(&mut self) {
        self.edges.clear();
        self.next = Edge::default();
    }

    /// A word of the definition of a row.
    pub(super) fn define(&mut self, word: &str, number: Option<i32>) {
        match word {
            "clmrg" => self.next.is_merged_before = true,
            "clvmrg" => self.next.is_merged_above = true,
            "cellx" => {
                let edge = Edge { position: number.unwrap_or(0), ..self.next };
                if self.edges.len() < MOST_EDGES {
                    self.edges.push(edge);
                }
                self.next = Edge::default();
            }
            _ => {}
        }
    }

    /// A paragraph of the open cell ends.
    pub(super) fn push(&mut self, text: &str) {
        if !self.cell.is_empty() {
            self.cell.push('\n');
        }
        self.cell.push_str(text);
    }

    pub(super) fn end_cell(&mut self) {
        self.cells.push(std::mem::take(&mut self.cell));
    }

    pub(super) fn end_row(&mut self) {
        if !self.cell.is_empty() {
            self.end_cell();
        }
        if !self.cells.is_empty() {
            self.rows.push((self.edges.clone(), std::mem::take(&mut self.cells)));
        }
    }

    /// Whether there is nothing of a table.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.cells.is_empty() && self.cell.is_empty()
    }

    /// Ends the table.
    ///
    /// # Errors
    /// Merged cells make more text of it than there may be.
    pub(super) fn close(&mut self, limit: usize) -> Result<Vec<Block>, Reject> {
        self.end_row();
        let rows = std::mem::take(&mut self.rows);
        let mut positions: BTreeSet<i32> = BTreeSet::new();
        for (edges, _) in &rows {
            if positions.len() < MOST_EDGES {
                positions.extend(edges.iter().map(|edge| edge.position));
            }
        }
        let mut tables = Tables::new(limit);
        tables.open();
        for (edges, cells) in rows {
            tables.begin_row();
            let mut left = i32::MIN;
            for (place, text) in cells.into_iter().enumerate() {
                tables.begin_cell();
                let edge = edges.get(place).copied();
                if let (Some(cell), Some(edge)) = (tables.cell(), edge) {
                    cell.columns = if left < edge.position {
                        positions.range(left.saturating_add(1)..=edge.position).count()
                    } else {
                        1
                    };
                    left = edge.position.max(left);
                    cell.above = match edge {
                        Edge { is_merged_above: true, .. } => Above::Merged,
                        Edge { is_merged_before: true, .. } => Above::MergedBefore,
                        _ => Above::Apart,
                    };
                }
                if !text.is_empty() {
                    tables.push(Block::Paragraph(text));
                }
            }
        }
        tables.close()
    }
}
