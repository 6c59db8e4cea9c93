//! The pages of a document as lines, before they are written.

use super::annotations::Notes;
use super::lines::Line;

/// A page as lines of text.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) lines: Vec<Line>,
    pub(super) notes: Notes,
    /// The height of the page.
    pub(super) height: f64,
}
