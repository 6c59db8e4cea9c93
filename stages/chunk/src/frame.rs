//! What is put before and after a piece so that it can be read alone: the head of a table or of a code fence that was
//! cut, the line that closes the fence, and the heading path.

use std::ops::Range;

use crate::config::HeadingPath;
use crate::meter::{Meter, Unit, fitting};
use crate::outline::{Head, Outline};
use crate::place::Path;

/// Finds what is put around pieces, for ascending starts.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    text: &'a str,
    outline: &'a Outline,
    path: Option<Path<'a>>,
    unit: Unit,
    size: u32,
}

impl<'a> Frames<'a> {
    pub(crate) fn of(text: &'a str, outline: &'a Outline, path: HeadingPath, unit: Unit, size: u32) -> Self {
        let path = match path {
            HeadingPath::Attribute => None,
            HeadingPath::Text => Some(Path::along(outline.headings())),
        };
        Self { text, outline, path, unit, size }
    }

    /// What is put before a piece that starts at `start`. At most three quarters of a piece: more is left out.
    pub(crate) fn before(&mut self, start: usize) -> String {
        let head = self.outline.head_before(start).filter(|head| head.is_needed_at(start) && self.is_repeated(head));
        let mut before = self.path_above(start).unwrap_or_default();
        if let Some(head) = head {
            before.push_str(head.lines(self.text));
        }
        before
    }

    /// The line that closes a code fence in which a piece ends.
    pub(crate) fn closing(&self, piece: &Range<usize>) -> Option<String> {
        let head = self.outline.head_before(piece.end)?;
        (head.is_left_open(piece) && self.is_repeated(head)).then(|| head.closing_line(self.text)).flatten()
    }

    /// The heading path as a paragraph, without the headings that the piece itself starts with.
    fn path_above(&mut self, start: usize) -> Option<String> {
        let path = self.path.as_mut()?;
        // A gap longer than a piece has no heading after it in the piece.
        let bytes = usize::try_from(self.size).unwrap_or(usize::MAX).saturating_mul(4);
        let end = self.text.floor_char_boundary(start.saturating_add(bytes));
        let line = format!("{}\n\n", path.above(start, end - self.text[start..end].trim_start().len())?);
        self.fits(&line, self.size / 4).then_some(line)
    }

    /// Whether a head is small enough to be repeated, with what closes its block.
    fn is_repeated(&self, head: &Head) -> bool {
        let lines = head.lines(self.text);
        if !self.fits(lines, self.size / 2) {
            return false;
        }
        let mut meter = Meter::new(self.unit);
        meter.add_text(lines);
        if let Some(line) = head.closing_line(self.text) {
            meter.reserve_line(&line);
        }
        meter.fits(self.size / 2)
    }

    /// It is read no further than needed: a head may be as long as the text.
    fn fits(&self, text: &str, limit: u32) -> bool {
        fitting(text, Meter::new(self.unit), limit) == text.len()
    }
}
