//! What the name of a field says about its value.

use crate::pii::{Label, of_name};

/// The longest name that is looked at, in bytes.
const LONGEST: usize = 64;

/// The names that lead to a value, as far as they say what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Context {
    /// Empty if they say nothing.
    pub(crate) name: String,
    pub(crate) label: Option<Label>,
}

impl Context {
    /// The context of a field with this name inside of one with this context: `{"phone": {"number": "…"}}`.
    pub(crate) fn of(&self, name: &str) -> Self {
        let name = &name[..name.floor_char_boundary(LONGEST)];
        if let Some(label) = of_name(name) {
            return Self { name: name.to_owned(), label: Some(label) };
        }
        if self.label.is_some() {
            let joined = format!("{} {name}", self.name);
            if joined.len() <= 2 * LONGEST && of_name(&joined) == self.label {
                return Self { name: joined, label: self.label };
            }
        }
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_says_nothing_takes_the_meaning_of_the_one_above() {
        let phone = Context::default().of("phone");
        assert_eq!(phone.label, Some(Label::Phone));
        assert_eq!(phone.of("number").label, Some(Label::Phone));
        assert_eq!(phone.of("value").label, Some(Label::Phone));
        assert_eq!(phone.of("created").label, None);
        assert_eq!(Context::default().of("number"), Context::default());
    }
}
