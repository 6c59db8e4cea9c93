//! Which target of an alias is asked next. Pure.

use std::ops::Range;

use gristmill_core::model::ChatFailure;

use crate::failure::passes;

/// The lists of an alias: how many targets each has. They are numbered through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) usual: usize,
    /// For requests that are too long for one of the usual targets.
    pub(crate) too_long: usize,
    /// For requests that a filter or a model refused.
    pub(crate) filtered: usize,
}

/// The way of one call through them.
#[derive(Debug)]
pub(crate) struct Route {
    lists: Lists,
    list: List,
    /// Those of the list that are not asked yet.
    left: Range<usize>,
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Usual,
    TooLong,
    Filtered,
}

impl Route {
    pub(crate) fn new(lists: Lists) -> Self {
        Self { lists, list: List::Usual, left: 0..lists.usual, failed: false }
    }

    /// The target to ask now, if any is left.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.left.next()
    }

    /// Whether another target would be asked after this one.
    pub(crate) fn has_more(&self) -> bool {
        !self.left.is_empty()
    }

    /// The target that was asked last failed. A refusal leads to those that are meant for it and nowhere else: an outage
    /// must not be the way around one.
    pub(crate) fn failed(&mut self, failure: &ChatFailure) {
        let Lists { usual, too_long, filtered } = self.lists;
        let behind = usual + too_long;
        match (failure, self.list) {
            (ChatFailure::ContentFiltered(_), List::Usual | List::TooLong) => {
                (self.list, self.left) = (List::Filtered, behind..behind + filtered);
            }
            (ChatFailure::ContextLengthExceeded { .. }, List::Usual) if too_long > 0 => {
                (self.list, self.left) = (List::TooLong, usual..behind);
            }
            (ChatFailure::ContentFiltered(_), List::Filtered) => {}
            // Behind a first target that could not answer, what the next does not take may still suit the one after it.
            _ if self.failed || passes(failure) => {}
            _ => self.left = 0..0,
        }
        self.failed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered() -> ChatFailure {
        ChatFailure::ContentFiltered("no".into())
    }

    fn too_long() -> ChatFailure {
        ChatFailure::ContextLengthExceeded { message: "long".into(), limit: None, actual: None }
    }

    fn away() -> ChatFailure {
        ChatFailure::Unavailable { message: "away".into(), after: None }
    }

    fn malformed() -> ChatFailure {
        ChatFailure::InvalidRequest("no".into())
    }

    #[test]
    fn each_failure_leads_to_the_targets_that_are_meant_for_it() {
        let (none, all) = ((0, 0), (2, 2));
        // The sizes of the lists behind two usual targets, what each target that is asked does, and which ones are asked.
        for ((too_long_ones, filtered_ones), failures, expected) in [
            (none, vec![away(), away()], &[0, 1][..]),
            (none, vec![malformed()], &[0]),
            (none, vec![away(), malformed()], &[0, 1]),
            (none, vec![too_long(), too_long()], &[0, 1]),
            (none, vec![filtered()], &[0]),
            (none, vec![away(), filtered()], &[0, 1]),
            (all, vec![away(), away()], &[0, 1]),
            (all, vec![malformed()], &[0]),
            (all, vec![too_long(), away(), away()], &[0, 2, 3]),
            (all, vec![away(), too_long(), too_long(), away()], &[0, 1, 2, 3]),
            (all, vec![filtered(), filtered(), away()], &[0, 4, 5]),
            (all, vec![too_long(), filtered(), away(), away()], &[0, 2, 4, 5]),
            // Not back to targets that nobody has named for what is refused.
            (all, vec![filtered(), too_long(), too_long()], &[0, 4, 5]),
        ] {
            let mut route = Route::new(Lists { usual: 2, too_long: too_long_ones, filtered: filtered_ones });
            let mut asked = Vec::new();
            let name = format!("{failures:?}");
            let mut failures = failures.into_iter();
            while let Some(target) = route.next() {
                asked.push(target);
                route.failed(&failures.next().expect(&name));
            }
            assert_eq!((asked.as_slice(), failures.next()), (expected, None), "{name}");
        }
    }
}
