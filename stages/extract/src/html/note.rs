//! What is noted about an open element.

use super::math;
use super::surroundings::Part;

/// What is to be done where an element ends.
#[derive(Debug)]
pub(super) enum Note {
    /// Nothing: it is inside of an element that is left out.
    Unseen,
    /// What was left out ends; which start tag of the page it was.
    LeftOut(usize),
    /// The writer is told.
    Written,
    /// The same, and a part of the page ends.
    Part(Part),
    /// The title of the page.
    Title,
    /// A formula in TeX.
    Tex,
    /// Looks like a block.
    Block,
    /// Keeps the line breaks of its source.
    Lines,
    /// Stands apart from the words around it.
    Apart,
    /// Raised or lowered text.
    Level,
    /// Text that was deleted or inserted: its numbers are not those around it.
    Changed,
    /// How the letters before are pronounced, in parentheses.
    Reading,
    /// A link.
    Link {
        /// Where its text begins.
        from: usize,
        /// Whether it leads to a place in this page.
        is_local: bool,
    },
    /// Part of a formula.
    Formula(math::Part),
}
