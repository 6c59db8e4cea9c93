//! What the name of a field says about its value.

use std::rc::Rc;

use crate::pii::{Label, of_name};

/// The longest name that is looked at, in bytes.
const LONGEST: usize = 64;

/// The names that lead to a value, as far as they say what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Context {
    /// `None` if they say nothing.
    name: Option<Rc<str>>,
    pub(crate) label: Option<Label>,
}

impl Context {
    pub(crate) fn is_secret(&self) -> bool {
        self.label == Some(Label::Secret)
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The context of a field with this name that is in no other.
    pub(crate) fn of_field(name: &str) -> Self {
        let name = &name[..name.floor_char_boundary(LONGEST)];
        match of_name(name) {
            Some(label) => Self { name: Some(name.into()), label: Some(label) },
            None => Self::default(),
        }
    }

    /// The context of a field inside of one with this context: `{"phone": {"number": "…"}}`. `own` is what its name says.
    pub(crate) fn with(&self, name: &str, own: &Self) -> Self {
        if own.label.is_some() || self.label.is_none() {
            return own.clone();
        }
        let joined = [self.name(), " ", &name[..name.floor_char_boundary(LONGEST)]].concat();
        if joined.len() <= 2 * LONGEST && of_name(&joined) == self.label {
            return Self { name: Some(joined.into()), label: self.label };
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
        let inner = |name: &str| phone.with(name, &Context::of_field(name)).label;
        assert_eq!(phone.label, Some(Label::Phone));
        assert_eq!(inner("number"), Some(Label::Phone));
        assert_eq!(inner("value"), Some(Label::Phone));
        assert_eq!(inner("created"), None);
        assert_eq!(Context::of_field("number"), Context::default());
    }
}
