//! The numbers of the items of a list.

use super::tag::Tag;
use crate::markdown::{Case, Marker};

/// How the items of a list are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bullets,
    Numbers,
    Letters(Case),
    Roman(Case),
}

/// An open list.
#[derive(Debug)]
pub(super) struct List {
    style: Style,
    next: i64,
    step: i64,
    /// The items of a list that counts down from their number, which is not known before its end: where they were
    /// written, and which they are.
    countdown: Option<Vec<(usize, i64)>>,
    count: i64,
}

impl List {
    /// The list that a tag begins.
    pub(super) fn of(tag: Tag) -> Self {
        let is_reversed = tag.has("reversed");
        let start = tag.number("start");
        Self {
            style: style(tag),
            next: start.unwrap_or(1),
            step: if is_reversed { -1 } else { 1 },
            countdown: (is_reversed && start.is_none()).then(Vec::new),
            count: 0,
        }
    }

    /// The marker of the next item, which may have a number of its own.
    pub(super) fn item(&mut self, value: Option<i64>) -> Marker {
        if let Some(value) = value {
            self.next = value;
            self.countdown = None;
        }
        let number = self.next;
        self.next = self.next.saturating_add(self.step);
        self.count += 1;
        self.marker(number)
    }

    /// The current item is written as the block at `position`.
    pub(super) fn written(&mut self, position: usize) {
        if let Some(countdown) = &mut self.countdown {
            countdown.push((position, self.count));
        }
    }

    /// The positions of the items of a list that counts down, and their markers, now that there are no more.
    pub(super) fn countdown(&self) -> impl Iterator<Item = (usize, Marker)> {
        self.countdown.iter().flatten().map(|(position, item)| (*position, self.marker(self.count - item + 1)))
    }

    fn marker(&self, number: i64) -> Marker {
        let number = u64::try_from(number).unwrap_or_default();
        match self.style {
            Style::Bullets => Marker::Bullet,
            Style::Numbers => Marker::Number(number),
            Style::Letters(case) => Marker::Letter(number, case),
            Style::Roman(case) => Marker::Roman(number, case),
        }
    }
}

fn style(tag: Tag) -> Style {
    if tag.name() != b"ol" {
        return Style::Bullets;
    }
    let is_styled = |values: &[&str]| tag.is_styled("list-style-type", values) || tag.is_styled("list-style", values);
    match tag.value("type").as_deref() {
        Some("a") => Style::Letters(Case::Lower),
        Some("A") => Style::Letters(Case::Upper),
        Some("i") => Style::Roman(Case::Lower),
        Some("I") => Style::Roman(Case::Upper),
        _ if is_styled(&["lower-alpha", "lower-latin"]) => Style::Letters(Case::Lower),
        _ if is_styled(&["upper-alpha", "upper-latin"]) => Style::Letters(Case::Upper),
        _ if is_styled(&["lower-roman"]) => Style::Roman(Case::Lower),
        _ if is_styled(&["upper-roman"]) => Style::Roman(Case::Upper),
        _ => Style::Numbers,
    }
}
