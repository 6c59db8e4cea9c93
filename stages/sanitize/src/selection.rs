//! Which values of a JSON document to look at, and which to replace whatever they hold.

use crate::pointer::{Pointer, Scope, Step};

/// Which values to look at, and which to replace whatever they hold.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'p> {
    pub(crate) fields: &'p [Pointer],
    pub(crate) always: &'p [Pointer],
}

/// How a place relates to the two lists of pointers.
#[derive(Debug, Clone)]
pub(crate) struct Scopes {
    pub(crate) fields: Scope,
    pub(crate) always: Scope,
}

impl Scopes {
    pub(crate) fn of_document(selection: Selection<'_>) -> Self {
        let always = if selection.always.is_empty() { Scope::Outside } else { Scope::of_document(selection.always) };
        Self { fields: Scope::of_document(selection.fields), always }
    }

    pub(crate) fn child(&self, selection: Selection<'_>, step: Step<'_>) -> Self {
        Self { fields: self.fields.child(selection.fields, step), always: self.always.child(selection.always, step) }
    }

    /// Whether the name of a member must be decoded to tell the scope of its value.
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(self.fields, Scope::Above { .. }) && !matches!(self.always, Scope::Above { .. })
    }

    pub(crate) fn is_inside(&self) -> bool {
        self.fields == Scope::Inside || self.always == Scope::Inside
    }

    pub(crate) fn outside() -> Self {
        Self { fields: Scope::Outside, always: Scope::Outside }
    }
}
