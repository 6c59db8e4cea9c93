//! Writes a screen as plain text.

use std::fmt::Write;

use super::screen::Screen;

/// Everything, a table after the other.
pub(super) fn text(screen: &Screen) -> String {
    let mut text = format!("{}\n", screen.title);
    for alarm in &screen.alarms {
        let _ = writeln!(text, "{alarm}");
    }
    for table in [&screen.pipelines].into_iter().chain(&screen.details) {
        let _ = writeln!(text, "\n{}", table.name);
        let widths = table.widths();
        let _ = writeln!(text, "{}", line(&table.head, &widths));
        for row in &table.rows {
            let _ = writeln!(text, "{}", line(row, &widths));
        }
    }
    text
}

/// Names begin on the left, numbers end on the right.
fn line<S: AsRef<str>>(cells: &[S], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let cell = cell.as_ref();
        let _ = match column {
            0 => write!(line, "{cell:<width$}"),
            _ => write!(line, "  {cell:>width$}"),
        };
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::screen::tests::screen;
    use super::*;

    #[test]
    fn tables_are_plain_text() {
        let text = text(&screen());
        let expected = "
pipelines
            state  partitions  jobs/s  dead/s  in flight  backlog   good  version
contracts  paused         3/6     101     1.0         64       43  98.8%        2

partitions of contracts
      settled below  lag  backlog
in/1            812   40       40
";
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}
