//! What the name of a field says about its value.

use std::collections::BTreeMap;

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

/// The labels of names that were met: in a list of objects, the same names come again and again.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, Option<Label>>);

/// The most names to remember.
const MOST_NAMES: usize = 256;

impl Names {
    fn label(&mut self, name: &str) -> Option<Label> {
        if let Some(label) = self.0.get(name) {
            return *label;
        }
        let label = of_name(name);
        if self.0.len() < MOST_NAMES {
            self.0.insert(name.to_owned(), label);
        }
        label
    }
}

impl Context {
    pub(crate) fn is_secret(&self) -> bool {
        self.label == Some(Label::Secret)
    }

    /// The context of a field with this name that is in no other.
    pub(crate) fn of_field(name: &str) -> Self {
        Self::default().of(name, &mut Names::default())
    }

    /// The context of a field with this name inside of one with this context: `{"phone": {"number": "…"}}`.
    pub(crate) fn of(&self, name: &str, names: &mut Names) -> Self {
        let name = &name[..name.floor_char_boundary(LONGEST)];
        if let Some(label) = names.label(name) {
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
        let phone = Context::of_field("phone");
        let names = &mut Names::default();
        assert_eq!(phone.label, Some(Label::Phone));
        assert_eq!(phone.of("number", names).label, Some(Label::Phone));
        assert_eq!(phone.of("value", names).label, Some(Label::Phone));
        assert_eq!(phone.of("created", names).label, None);
        assert_eq!(Context::of_field("number"), Context::default());
    }
}
