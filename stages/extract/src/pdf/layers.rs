//! Layers (optional content) that a reader does not see when it opens the file.

use std::collections::HashSet;

use hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier};

/// The maximum nesting of expressions over layers.
const DEEPEST: usize = 16;

/// The layers of a file, as its default configuration shows them.
#[derive(Debug, Default)]
pub(super) struct Layers {
    off: HashSet<ObjectIdentifier>,
    on: HashSet<ObjectIdentifier>,
    base: Base,
}

/// What becomes of layers that are not mentioned.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Base {
    #[default]
    On,
    Off,
}

impl Layers {
    /// Reads the layers from the catalog of a file.
    pub(super) fn of_catalog(catalog: &Dict<'_>) -> Self {
        let properties = catalog.get::<Dict<'_>>(b"OCProperties");
        let Some(config) = properties.and_then(|properties| properties.get::<Dict<'_>>(b"D")) else {
            return Self::default();
        };
        let base = match config.get::<Name<'_>>(b"BaseState") {
            Some(state) if state.as_ref() == b"OFF" => Base::Off,
            _ => Base::On,
        };
        let mut layers = Self { off: groups(&config, b"OFF"), on: groups(&config, b"ON"), base };
        for usage in config.get::<Array<'_>>(b"AS").iter().flat_map(|list| list.iter::<Dict<'_>>()) {
            if usage.get::<Name<'_>>(b"Event").is_some_and(|event| event.as_ref() == b"View") {
                for group in usage.get::<Array<'_>>(b"OCGs").iter().flat_map(|list| list.iter::<Dict<'_>>()) {
                    layers.apply_usage(&group);
                }
            }
        }
        layers
    }

    /// Whether content of a group, or of a membership of groups, is not seen.
    pub(super) fn hides(&self, content: &Dict<'_>) -> bool {
        match content.get::<Name<'_>>(b"Type") {
            Some(kind) if kind.as_ref() == b"OCMD" => !self.shows_member(content),
            _ => !self.shows(content),
        }
    }

    fn shows(&self, group: &Dict<'_>) -> bool {
        group.obj_id().is_none_or(|id| match self.base {
            Base::On => !self.off.contains(&id),
            Base::Off => self.on.contains(&id),
        })
    }

    fn shows_member(&self, member: &Dict<'_>) -> bool {
        if let Some(expression) = member.get::<Array<'_>>(b"VE") {
            return self.holds(&expression, DEEPEST);
        }
        let groups: Vec<Dict<'_>> = match member.get::<Object<'_>>(b"OCGs") {
            Some(Object::Dict(group)) => vec![group],
            Some(Object::Array(list)) => list.iter::<Dict<'_>>().collect(),
            _ => Vec::new(),
        };
        if groups.is_empty() {
            return true;
        }
        let (mut shown, policy) = (groups.iter().map(|group| self.shows(group)), member.get::<Name<'_>>(b"P"));
        match policy.as_ref().map_or(&b"AnyOn"[..], |policy| policy.as_ref()) {
            b"AllOn" => shown.all(|is_shown| is_shown),
            b"AnyOff" => shown.any(|is_shown| !is_shown),
            b"AllOff" => shown.all(|is_shown| !is_shown),
            _ => shown.any(|is_shown| is_shown),
        }
    }

    /// Whether an expression of groups holds: And, Or and Not of groups and expressions.
    fn holds(&self, expression: &Array<'_>, depth: usize) -> bool {
        let mut parts = expression.iter::<Object<'_>>();
        let operator = match parts.next() {
            Some(Object::Name(operator)) if depth > 0 => operator,
            _ => return true,
        };
        let mut operands = parts.map(|part| match part {
            Object::Dict(group) => self.shows(&group),
            Object::Array(inner) => self.holds(&inner, depth - 1),
            _ => true,
        });
        match operator.as_ref() {
            b"And" => operands.all(|holds| holds),
            b"Or" => operands.any(|holds| holds),
            b"Not" => operands.next().is_some_and(|holds| !holds),
            _ => true,
        }
    }

    /// Sets a group as its usage says for viewing.
    fn apply_usage(&mut self, group: &Dict<'_>) {
        let usage = group.get::<Dict<'_>>(b"Usage").and_then(|usage| usage.get::<Dict<'_>>(b"View"));
        let state = usage.and_then(|view| view.get::<Name<'_>>(b"ViewState"));
        if let (Some(state), Some(id)) = (state, group.obj_id()) {
            let (to, from) = match state.as_ref() == b"OFF" {
                true => (&mut self.off, &mut self.on),
                false => (&mut self.on, &mut self.off),
            };
            from.remove(&id);
            to.insert(id);
        }
    }
}

fn groups(config: &Dict<'_>, key: &[u8]) -> HashSet<ObjectIdentifier> {
    let list = config.get::<Array<'_>>(key);
    list.iter().flat_map(|list| list.iter::<Dict<'_>>()).filter_map(|group| group.obj_id()).collect()
}
