//! The tables of a sheet: what a person sees as one, with the lines above and between them as paragraphs.

use std::collections::{BTreeMap, BTreeSet};

use super::sheet::{Merged, Row, Sheet};
use crate::block::Block;

/// The blocks of a sheet.
pub(super) fn of(sheet: Sheet) -> Vec<Block> {
    let mut filled = Filled::of(&sheet);
    let mut groups: Vec<Group> = Vec::new();
    for row in sheet.rows {
        match groups.last_mut().filter(|group| group.goes_on_with(&row)) {
            Some(group) => group.push(row),
            None => groups.push(Group::of(row)),
        }
    }
    groups.into_iter().flat_map(|group| blocks(group.rows, &mut filled, sheet.most_cells)).collect()
}

/// Rows that follow each other, and the first and last column with something in it.
struct Group {
    rows: Vec<Row>,
    columns: (u32, u32),
    last: u32,
}

impl Group {
    fn of(row: Row) -> Self {
        Self { columns: columns(&row), last: row.number, rows: vec![row] }
    }

    /// After an empty row a table goes on only in the same columns.
    fn goes_on_with(&self, row: &Row) -> bool {
        match row.number - self.last {
            0 | 1 => true,
            2 => self.columns == columns(row),
            _ => false,
        }
    }

    fn push(&mut self, row: Row) {
        let (first, last) = columns(&row);
        self.columns = (self.columns.0.min(first), self.columns.1.max(last));
        self.last = row.number;
        self.rows.push(row);
    }
}

/// The first and last column of a row.
fn columns(row: &Row) -> (u32, u32) {
    let column = |cell: Option<&(u32, String)>| cell.map_or(0, |(column, _)| *column);
    (column(row.cells.first()), column(row.cells.last()))
}

fn blocks(rows: Vec<Row>, filled: &mut Filled, most_cells: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rows = rows.into_iter().peekable();
    // Lines above a table are its title.
    while let Some(row) = rows.next_if(|row| row.cells.len() == 1) {
        blocks.extend(row.cells.into_iter().map(|(_, text)| Block::Paragraph(text)));
    }
    let mut rows: Vec<Row> = rows.collect();
    if rows.is_empty() {
        return match blocks.len() {
            0 | 1 => blocks,
            // A column of its own: its lines belong together.
            _ => vec![Block::Paragraph(blocks.iter().map(Block::lines).collect::<Vec<_>>().join("\n"))],
        };
    }
    for row in &mut rows {
        row.cells.extend(filled.take(row.number));
        row.cells.sort_by_key(|(column, _)| *column);
        row.cells.dedup_by_key(|(column, _)| *column);
    }
    let used: BTreeSet<u32> = rows.iter().flat_map(|row| row.cells.iter().map(|(column, _)| *column)).collect();
    // Cells far apart from each other would make a table of empty ones.
    if used.len().saturating_mul(rows.len()) > most_cells {
        let lines =
            rows.iter().map(|row| row.cells.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\t"));
        blocks.push(Block::Paragraph(lines.collect::<Vec<_>>().join("\n")));
        return blocks;
    }
    let table = rows.into_iter().map(|row| {
        let mut cells: BTreeMap<u32, String> = row.cells.into_iter().collect();
        used.iter().map(|column| cells.remove(column).unwrap_or_default()).collect()
    });
    blocks.push(Block::Table(table.collect()));
    blocks
}

/// The texts of merged cells in the places that they cover.
#[derive(Debug, Default)]
struct Filled(BTreeMap<u32, Vec<(u32, String)>>);

impl Filled {
    fn of(sheet: &Sheet) -> Self {
        let used: BTreeSet<u32> =
            sheet.rows.iter().flat_map(|row| row.cells.iter().map(|(column, _)| *column)).collect();
        let mut filled = Self::default();
        let mut budget = sheet.most_cells;
        for merged in &sheet.merged {
            let Some(text) = text_of(sheet, merged).filter(|text| text.len() <= 500) else {
                continue;
            };
            let start = sheet.rows.partition_point(|row| row.number < merged.rows.0);
            for row in sheet.rows[start..].iter().take_while(|row| row.number <= merged.rows.1) {
                let Some(rest) = budget.checked_sub(1) else {
                    return filled;
                };
                budget = rest;
                for column in used.range(merged.columns.0..=merged.columns.1) {
                    if (row.number, *column) == (merged.rows.0, merged.columns.0) {
                        continue;
                    }
                    let cost = text.len() / 16 + 1;
                    let Some(rest) = budget.checked_sub(cost) else {
                        return filled;
                    };
                    budget = rest;
                    filled.0.entry(row.number).or_default().push((*column, text.to_owned()));
                }
            }
        }
        filled
    }

    fn take(&mut self, row: u32) -> Vec<(u32, String)> {
        self.0.remove(&row).unwrap_or_default()
    }
}

fn text_of<'s>(sheet: &'s Sheet, merged: &Merged) -> Option<&'s str> {
    let row = sheet.rows.binary_search_by_key(&merged.rows.0, |row| row.number).ok()?;
    let cells = &sheet.rows.get(row)?.cells;
    let cell = cells.binary_search_by_key(&merged.columns.0, |(column, _)| *column).ok()?;
    cells.get(cell).map(|(_, text)| text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: &[(u32, &[(u32, &str)])], merged: &[Merged]) -> Sheet {
        let row = |(number, cells): &(u32, &[(u32, &str)])| Row {
            number: *number,
            cells: cells.iter().map(|(column, text)| (*column, (*text).to_owned())).collect(),
        };
        Sheet { rows: rows.iter().map(row).collect(), merged: merged.to_vec(), most_cells: 100 }
    }

    fn table(rows: &[&[&str]]) -> Block {
        Block::Table(rows.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect())
    }

    #[test]
    fn titles_tables_and_columns_of_text_are_told_apart() {
        let given = sheet(
            &[
                (1, &[(1, "Report")]),
                (2, &[(1, "Name"), (2, "Sum")]),
                (3, &[(1, "Ann"), (2, "5")]),
                (5, &[(1, "Bob"), (2, "6")]),
                (9, &[(4, "Note one")]),
                (10, &[(4, "Note two")]),
            ],
            &[],
        );
        let expected = [
            Block::Paragraph("Report".into()),
            table(&[&["Name", "Sum"], &["Ann", "5"], &["Bob", "6"]]),
            Block::Paragraph("Note one\nNote two".into()),
        ];
        assert_eq!(of(given), expected);
    }

    #[test]
    fn a_merged_cell_repeats_its_text_where_there_are_cells() {
        let given = sheet(
            &[(1, &[(1, "A"), (2, "Price"), (4, "Tax")]), (2, &[(2, "net"), (3, "gross")])],
            &[Merged { rows: (1, 9), columns: (1, 1) }, Merged { rows: (1, 1), columns: (2, 3) }],
        );
        assert_eq!(of(given), [table(&[&["A", "Price", "Price", "Tax"], &["A", "net", "gross", ""]])]);
    }

    #[test]
    fn cells_far_apart_make_no_endless_table() {
        let texts: Vec<(u32, Vec<(u32, &str)>)> =
            (1..50).map(|place| (place, vec![(place * 300, "x"), (place * 300 + 1, "y")])).collect();
        let rows: Vec<(u32, &[(u32, &str)])> = texts.iter().map(|(row, cells)| (*row, cells.as_slice())).collect();
        let blocks = of(sheet(&rows, &[Merged { rows: (1, 1_000_000), columns: (1, 16_384) }]));
        assert_eq!(blocks.len(), 1);
        assert!(matches!(&blocks[0], Block::Paragraph(text) if text.starts_with("x\ty\nx\ty")));
    }
}
