//! What the formats have in common below the paragraph: raised letters, formulas, numbers in words, symbol fonts.

pub(crate) mod levels;
pub(crate) mod math;
pub(crate) mod numerals;
pub(crate) mod scripted;
pub(crate) mod symbols;
