//! What office formats have in common below the paragraph: raised letters, formulas, numbers in words, symbol fonts.

pub(crate) mod math;
pub(crate) mod numerals;
pub(crate) mod script;
pub(crate) mod symbols;
