//! Cleans one text: first artifacts, because they can hide personal data, then the data.

use std::borrow::Cow;

use crate::artifacts;
use crate::config::{Pii, Switches};
use crate::pii;
use crate::replacement::Digester;
use crate::report::Report;
use crate::rewrite::Rewrite;

/// What a configured instance does to each text.
pub(crate) struct Cleaner {
    pub(crate) pii: Pii,
    pub(crate) digester: Digester,
    /// `None` leaves all artifacts alone.
    pub(crate) switches: Option<Switches>,
}

impl Cleaner {
    /// The clean text; borrowed if there was nothing to do.
    pub(crate) fn clean<'t>(&self, text: &'t str, report: &mut Report) -> Cow<'t, str> {
        let text = match &self.switches {
            Some(switches) => artifacts::remove(text, switches, report),
            None => Cow::Borrowed(text),
        };
        match self.replace_pii(&text, report) {
            Cow::Borrowed(_) => text,
            Cow::Owned(changed) => Cow::Owned(changed),
        }
    }

    /// Kinds that are kept are searched for as well, so that a kept card number is not taken for a telephone number.
    fn replace_pii<'t>(&self, text: &'t str, report: &mut Report) -> Cow<'t, str> {
        if self.pii.keeps_all() {
            return Cow::Borrowed(text);
        }
        let mut rewrite = Rewrite::new(text);
        for found in pii::find(text) {
            let action = self.pii.action(found.kind);
            if let Some(with) = self.digester.replacement(action, found.kind, &text[found.range.clone()]) {
                rewrite.replace(found.range, &with);
                report.replaced(found.kind);
            }
        }
        rewrite.finish()
    }
}
