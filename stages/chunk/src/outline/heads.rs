//! Blocks that mean little without their head: tables, and fenced code.

use std::ops::Range;

/// A table or a fenced code block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The lines to repeat: the header and the delimiter row of a table, the opening line of a fence.
    lines: Range<usize>,
    kind: HeadKind,
    /// Where the block ends, without the line end.
    block_end: usize,
}

/// What the head belongs to.
#[derive(Debug, PartialEq, Eq)]
enum HeadKind {
    /// A table.
    Table,
    /// Code between fences.
    Fence {
        /// Where the line starts that closes it; `None` if there is none and the code ends with the text.
        closed_at: Option<usize>,
    },
}

impl Head {
    /// A table whose first row starts at or after `line_start`, the start of its line.
    pub(super) fn of_table(text: &str, line_start: usize, block: Range<usize>) -> Option<Self> {
        let header = line_end(text, block.start);
        let delimiter = line_end(text, header);
        let block_end = trimmed_end(text, &block);
        let lines = first_header(text, line_start, header)..delimiter;
        (delimiter < block_end).then_some(Self { lines, kind: HeadKind::Table, block_end })
    }

    /// Fenced code whose opening line starts at `line_start`.
    pub(super) fn of_fence(text: &str, line_start: usize, block: Range<usize>) -> Option<Self> {
        let opened = line_end(text, block.start);
        let block_end = trimmed_end(text, &block);
        if opened >= block_end {
            return None;
        }
        let marker = marker(text[block.start..opened].trim_start_matches(' '))?;
        let last_line = text[opened..block_end].rfind(['\n', '\r']).map_or(opened, |end| opened + end + 1);
        let last = text[last_line..block_end].trim_start_matches([' ', '\t', '>']);
        let closes = last.strip_prefix(marker).is_some_and(|more| more.chars().all(|more| marker.starts_with(more)));
        let closed_at = closes.then_some(last_line);
        Some(Self { lines: line_start..opened, kind: HeadKind::Fence { closed_at }, block_end })
    }

    pub(crate) fn start(&self) -> usize {
        self.lines.start
    }

    /// Where the head ends and the first row or line starts.
    pub(crate) fn end(&self) -> usize {
        self.lines.end
    }

    /// Where the block ends, without the line end.
    pub(crate) fn block_end(&self) -> usize {
        self.block_end
    }

    /// The lines to repeat, with their line ends.
    pub(crate) fn lines<'a>(&self, text: &'a str) -> &'a str {
        &text[self.lines.clone()]
    }

    /// The last position to cut before: what follows still has something of the block in it.
    pub(crate) fn last_cut(&self) -> usize {
        match self.kind {
            HeadKind::Fence { closed_at: Some(closed_at) } => closed_at,
            HeadKind::Fence { closed_at: None } | HeadKind::Table => self.block_end,
        }
    }

    /// Whether a piece that starts at `position` starts inside the block and needs its head.
    pub(crate) fn is_needed_at(&self, position: usize) -> bool {
        (self.lines.end..self.block_end).contains(&position)
    }

    /// Whether a piece ends inside a fence that it or its head opens.
    pub(crate) fn is_left_open(&self, piece: &Range<usize>) -> bool {
        let HeadKind::Fence { closed_at } = self.kind else {
            return false;
        };
        let ends_inside = self.lines.end < piece.end && piece.end < self.block_end;
        // The last piece of code that the text itself leaves open.
        let is_last = closed_at.is_none() && self.is_needed_at(piece.start);
        ends_inside || is_last
    }

    /// The line that closes the fence, without its line end.
    pub(crate) fn closing_line(&self, text: &str) -> Option<String> {
        if self.kind == HeadKind::Table {
            return None;
        }
        let line = self.lines(text);
        let at = line.find("```").into_iter().chain(line.find("~~~")).min()?;
        // The marks of a quotation stay, the bullet of a list becomes its indent.
        let indent = line[..at].chars().map(|c| if c == '>' || c == '\t' { c } else { ' ' });
        Some(indent.chain(marker(&line[at..])?.chars()).collect())
    }
}

/// The run of fence characters that a line starts with.
fn marker(line: &str) -> Option<&str> {
    let fence = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    Some(&line[..line.len() - line.trim_start_matches(fence).len()])
}

/// Where the next line starts.
fn line_end(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    match memchr::memchr2(b'\n', b'\r', &bytes[from..]).map(|end| from + end) {
        Some(end) if bytes[end..].starts_with(b"\r\n") => end + 2,
        Some(end) => end + 1,
        None => text.len(),
    }
}

/// How many lines a header may have before the one that Markdown takes for it.
const MORE_HEADERS: usize = 3;

/// Where the first of the lines starts that head a table together: to Markdown those before the last are a paragraph, but
/// they have its columns.
fn first_header(text: &str, line_start: usize, line_end: usize) -> usize {
    let cells = |line: &str| line.matches('|').count();
    let columns = cells(&text[line_start..line_end]);
    let mut first = line_start;
    for _ in 0..MORE_HEADERS {
        let before = text[..first].trim_end_matches(['\r', '\n']);
        let start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let is_row =
            before[start..].trim_start_matches([' ', '>']).starts_with('|') && cells(&before[start..]) == columns;
        let is_next_to_it = text[before.len()..first].trim_start_matches('\r').len() <= 1;
        if !is_row || !is_next_to_it {
            break;
        }
        first = start;
    }
    first
}

fn trimmed_end(text: &str, block: &Range<usize>) -> usize {
    block.start + text[block.clone()].trim_end().len()
}
