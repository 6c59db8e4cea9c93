//! Draws a screen on a terminal.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table as Grid};

use super::screen::{Screen, Table};

/// How many alarms are shown at most.
const ALARMS: usize = 5;
/// Between columns.
const GAP: u16 = 2;

const KEYS: &str = "q quits, up and down choose a pipeline";

/// Draws everything. `trouble` says why what is shown may be old.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen, trouble: Option<&str>) {
    let alarms: Vec<&str> = trouble.into_iter().chain(screen.alarms.iter().map(String::as_str)).take(ALARMS).collect();
    let mut heights = vec![Constraint::Length(1), Constraint::Length(lines(alarms.len())), height(&screen.pipelines)];
    heights.extend(screen.details.iter().map(height));
    heights.extend([Constraint::Min(0), Constraint::Length(1)]);
    let areas = Layout::vertical(heights).split(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Paragraph::new(&*screen.title).style(bold), areas[0]);
    frame.render_widget(Paragraph::new(alarms.join("\n")).style(Style::new().fg(Color::Red)), areas[1]);
    grid(frame, areas[2], &screen.pipelines, Some(screen.selected));
    for (table, area) in screen.details.iter().zip(&areas[3..]) {
        grid(frame, *area, table, None);
    }
    if let Some(last) = areas.last() {
        frame.render_widget(Paragraph::new(KEYS).style(Style::new().fg(Color::DarkGray)), *last);
    }
}

fn grid(frame: &mut Frame<'_>, area: Rect, table: &Table, selected: Option<usize>) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let rows = table.rows.iter().enumerate().map(|(index, row)| {
        let style = if selected == Some(index) { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        Row::new(row.iter().enumerate().map(|(column, text)| cell(column, text))).style(style)
    });
    let head = Row::new(table.head.iter().enumerate().map(|(column, text)| cell(column, text))).style(bold);
    let widths = table.widths().into_iter().map(|width| Constraint::Length(lines(width)));
    let block = Block::new().borders(Borders::TOP).title(format!(" {} ", table.name));
    frame.render_widget(Grid::new(rows, widths).header(head).column_spacing(GAP).block(block), area);
}

/// Names begin on the left, numbers end on the right.
fn cell(column: usize, text: &str) -> Cell<'_> {
    let alignment = if column == 0 { Alignment::Left } else { Alignment::Right };
    Cell::new(Text::from(text).alignment(alignment))
}

/// With its name and its head.
fn height(table: &Table) -> Constraint {
    Constraint::Length(lines(table.rows.len() + 2))
}

fn lines(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::screen::tests::screen;
    use super::*;

    fn drawn(width: u16, height: u16, trouble: Option<&str>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &screen(), trouble)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_host_is_drawn() {
        let expected = "\
gristmill 0.1.0  up 2 h 5 min  instances 8 of 512
contracts is paused by a dependency since 3 s, for 2 min more: 429\u{fffd}[2J
 pipelines ───────────────────────────────────────────────────────────────────────────────
            state  partitions  jobs/s  dead/s  in flight  backlog   good  version
contracts  paused         3/6     101     1.0         64       43  98.8%        2
 partitions of contracts ─────────────────────────────────────────────────────────────────
      settled below  lag  backlog
in/1            812   40       40
in/0            812    3        3
in/2            812    -        -
 stages of contracts ─────────────────────────────────────────────────────────────────────
        calls/s  ms/call  failed
enrich      100    250.0       3
 models of contracts ─────────────────────────────────────────────────────────────────────
                answers/s  tokens/s  failed     USD
smart openai/m        100     30000       0  0.2500
 model servers ───────────────────────────────────────────────────────────────────────────
                                         state              left of its limits
https://api.example.com/v1 m  limited for 12 s  requests_per_minute 120 of 500

q quits, up and down choose a pipeline";
        assert_eq!(drawn(90, 21, None), expected);
    }

    #[test]
    fn trouble_is_said_above_everything_and_a_small_terminal_is_no_fault() {
        assert!(drawn(90, 21, Some("no host answers")).lines().nth(1).unwrap().starts_with("no host answers"));
        for (width, height) in [(1, 1), (10, 3), (40, 8)] {
            drawn(width, height, Some("x"));
        }
    }
}
