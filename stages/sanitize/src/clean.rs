//! Cleans one text: first artifacts, because they can hide personal data, then the data.

use std::borrow::Cow;
use std::ops::Range;

use crate::actions::{Action, Actions};
use crate::artifacts;
use crate::canonical::canonical;
use crate::config::{Mode, Switches};
use crate::context::Context;
use crate::kind::Kind;
use crate::pii::{self, Finder, Label, Survey};
use crate::replacement::Digester;
use crate::report::Report;
use crate::rewrite::Rewrite;

/// What a configured instance does to each text.
pub(crate) struct Cleaner {
    pub(crate) actions: Actions,
    /// The action of each configured pattern.
    pub(crate) own: Vec<Option<Action>>,
    pub(crate) digester: Digester,
    /// `None` leaves all artifacts alone.
    pub(crate) switches: Option<Switches>,
    pub(crate) finder: Finder,
    /// Values that stay.
    pub(crate) allow: Vec<String>,
    pub(crate) mode: Mode,
}

impl Cleaner {
    /// The clean text; borrowed if there was nothing to do.
    pub(crate) fn clean<'t>(&self, text: &'t str, context: &Context, report: &mut Report) -> Cow<'t, str> {
        if is_plain(text) && self.finder.has_only_built_in() && report.quotes.is_none() && !context.is_secret() {
            return Cow::Borrowed(text);
        }
        let mut survey = Survey::of(text);
        let text = match &self.switches {
            Some(switches) if self.mode == Mode::Replace => artifacts::remove(text, &survey, switches, report),
            _ => Cow::Borrowed(text),
        };
        if matches!(text, Cow::Owned(_)) {
            survey = Survey::of(&text);
        }
        let is_secret = context.is_secret() && pii::is_secret_value(&text);
        if let Some(new) = is_secret.then(|| self.replace_whole(Kind::Secret, &text, report)).flatten() {
            return Cow::Owned(new);
        }
        match self.replace_pii(&text, &survey, context, report) {
            Cow::Borrowed(_) => text,
            Cow::Owned(changed) => Cow::Owned(changed),
        }
    }

    /// The replacement of a number in JSON, which is data as a whole or not at all.
    pub(crate) fn clean_number(&self, digits: &str, context: &Context, report: &mut Report) -> Option<String> {
        if !(6..=19).contains(&digits.len()) || self.idle() {
            return None;
        }
        let found = self.find(digits, &Survey::of(digits), context, report);
        let [only] = found.as_slice() else { return None };
        // Without a name that says so, only a card of the usual length is told from any other number.
        let named = context.label.is_some_and(Label::is_personal);
        let sure = named || (only.kind == Kind::Card && matches!(digits.len(), 15 | 16));
        if only.range != (0..digits.len()) || !sure {
            return None;
        }
        self.replace_found(only.kind, digits, &only.folded, only.range.clone(), report)
    }

    /// The replacement of a value that is data as a whole.
    pub(crate) fn replace_whole(&self, kind: Kind, value: &str, report: &mut Report) -> Option<String> {
        if value.is_empty() || self.digester.wrote(value) {
            return None;
        }
        self.replace_found(kind, value, value, 0..value.len(), report)
    }

    /// Kinds that are kept are searched for as well, so that a kept card number is not taken for a telephone number.
    fn replace_pii<'t>(&self, text: &'t str, survey: &Survey, context: &Context, report: &mut Report) -> Cow<'t, str> {
        if self.idle() {
            return Cow::Borrowed(text);
        }
        let mut rewrite = Rewrite::new(text);
        for found in self.find(text, survey, context, report) {
            let value = &text[found.range.clone()];
            if let Some(with) = self.replace_found(found.kind, value, &found.folded, found.range.clone(), report) {
                rewrite.replace(found.range, &with);
            }
        }
        rewrite.finish()
    }

    fn find(&self, text: &str, survey: &Survey, context: &Context, report: &Report) -> Vec<pii::Found> {
        // An empty text asks whether there can be hashes at all.
        let written = |value: &str| match value {
            "" => self.digester.is_keyed(),
            value => self.digester.wrote(value),
        };
        self.finder.find(text, survey, context.name(), report.quotes.as_ref(), &written)
    }

    fn replace_found(
        &self,
        kind: Kind,
        value: &str,
        folded: &str,
        range: Range<usize>,
        report: &mut Report,
    ) -> Option<String> {
        let form = self.action(kind).form()?;
        if self.is_allowed(kind, folded) {
            return None;
        }
        let name = self.name(kind);
        report.replaced(name);
        match self.mode {
            Mode::Report => {
                report.found(name, range);
                None
            }
            Mode::Replace => Some(self.digester.replacement(form, name, value, || canonical(kind, folded))),
        }
    }

    fn action(&self, kind: Kind) -> Action {
        let own = match kind {
            Kind::Own(place) => self.own.get(place).copied().flatten(),
            _ => None,
        };
        own.unwrap_or_else(|| self.actions.of(kind))
    }

    fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Own(place) => self.finder.patterns.get(place).map_or("own", |pattern| pattern.name.as_str()),
            kind => kind.name(),
        }
    }

    /// Whether the value is on the list of those that stay; `@example.com` is all addresses of that host.
    fn is_allowed(&self, kind: Kind, value: &str) -> bool {
        if self.allow.is_empty() {
            return false;
        }
        let value = canonical(kind, value);
        self.allow.iter().any(|allowed| match allowed.starts_with('@') {
            true => kind == Kind::Email && value.ends_with(&allowed.to_lowercase()),
            false => canonical(kind, allowed) == value,
        })
    }

    fn idle(&self) -> bool {
        self.actions.keep_all() && self.finder.has_only_built_in()
    }
}

/// Whether a text holds a few words and nothing else, as most names of members do.
fn is_plain(text: &str) -> bool {
    const LONGEST: usize = 32;
    text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
}
