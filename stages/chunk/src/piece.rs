//! A piece of the text, and what stands around it.

use std::ops::Range;

/// A piece of the text. Positions are byte offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    /// Where the text begins that is not in the previous piece.
    pub(crate) fresh: usize,
    /// The level of the heading that divides it from the previous piece.
    pub(crate) level: Option<u8>,
    /// What is put before it.
    pub(crate) before: String,
    /// The line that is put after it to close a code fence.
    pub(crate) closing: Option<String>,
    /// Whether it has room for what stands around it.
    pub(crate) is_framed: bool,
}

impl Default for Piece {
    fn default() -> Self {
        Self { range: 0..0, fresh: 0, level: None, before: String::new(), closing: None, is_framed: true }
    }
}

impl Piece {
    /// The piece as it is emitted.
    pub(crate) fn payload(&self, text: &str) -> String {
        let text = &text[self.range.clone()];
        let after = self.after(text);
        let mut payload = String::with_capacity(self.before.len() + text.len() + after.len());
        payload.push_str(&self.before);
        payload.push_str(text);
        payload.push_str(&after);
        payload
    }

    /// What is put after its text.
    pub(crate) fn after(&self, text: &str) -> String {
        match &self.closing {
            None => String::new(),
            Some(line) if text.ends_with(['\n', '\r']) => format!("{line}\n"),
            Some(line) => format!("\n{line}\n"),
        }
    }
}
