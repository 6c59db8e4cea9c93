//! What a scan found.

use std::ops::Range;

use crate::kind::Kind;

/// A match in the folded text; of no kind if it is what this stage wrote earlier.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) kind: Option<Kind>,
    pub(super) range: Range<usize>,
}
