//! What the names of members say: in a list of objects, the same names come again and again.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::siblings::Sibling;

/// The names that were met.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, (Context, Sibling)>);

/// The most names to remember.
const MOST: usize = 256;

impl Names {
    /// The context of the value under this name, inside of another one, and what it has to do with its neighbours.
    pub(crate) fn of(&mut self, name: &str, outer: &Context) -> (Context, Sibling) {
        let (context, sibling) = match self.0.get(name) {
            Some((own, sibling)) => (outer.with(name, own), *sibling),
            None => {
                let (own, sibling) = (Context::of_field(name), Sibling::of_name(name));
                let context = outer.with(name, &own);
                if self.0.len() < MOST {
                    self.0.insert(name.to_owned(), (own, sibling));
                }
                (context, sibling)
            }
        };
        // What says itself what it is needs no other.
        let explained = sibling == Sibling::Told && context.label.is_some();
        (context, if explained { Sibling::Plain } else { sibling })
    }
}
