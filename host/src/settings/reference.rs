//! The key tables of the documentation, out of the schema.
/// .
pub fn tables() {}
/// .
pub fn fill() {}
