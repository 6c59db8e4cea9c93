//! The numbers of the items of a list.

use super::tag::Tag;
use crate::words::numerals;

/// How the items of a list are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bullets,
    /// Numbers as office formats write them, by that name.
    Named(&'static str),
    /// "a" to "z", then "aa", "ab" and so on.
    Letters(Case),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
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
            style: stated(tag).unwrap_or(if tag.name() == b"ol" { Style::Named("decimal") } else { Style::Bullets }),
            next: start.unwrap_or(1),
            step: if is_reversed { -1 } else { 1 },
            countdown: (is_reversed && start.is_none()).then(Vec::new),
            count: 0,
        }
    }

    /// The label of the next item, which may have a number and a style of its own.
    pub(super) fn item(&mut self, tag: Tag) -> String {
        if let Some(value) = tag.number("value") {
            self.next = value;
            self.countdown = None;
        }
        let number = self.next;
        self.next = self.next.saturating_add(self.step);
        self.count += 1;
        label(stated(tag).unwrap_or(self.style), number)
    }

    /// The current item is written as the block at `position`.
    pub(super) fn written(&mut self, position: usize) {
        if let Some(countdown) = &mut self.countdown {
            countdown.push((position, self.count));
        }
    }

    /// The positions of the items of a list that counts down, and their labels, now that there are no more.
    pub(super) fn countdown(&self) -> impl Iterator<Item = (usize, String)> {
        self.countdown.iter().flatten().map(|(position, item)| (*position, self.label(self.count - item + 1)))
    }

    fn label(&self, number: i64) -> String {
        label(self.style, number)
    }
}

fn label(style: Style, number: i64) -> String {
    let Ok(count) = u64::try_from(number) else {
        return match style {
            Style::Bullets => "-".to_owned(),
            _ => format!("{number}."),
        };
    };
    match style {
        Style::Bullets => "-".to_owned(),
        Style::Named(format) => format!("{}.", numerals::written(format, count)),
        Style::Letters(Case::Lower) => format!("{}.", numerals::counted(count)),
        Style::Letters(Case::Upper) => format!("{}.", numerals::counted(count).to_uppercase()),
    }
}

/// How the `type` or the `style` of a list or an item says it is marked, if it does.
fn stated(tag: Tag) -> Option<Style> {
    match tag.value("type").as_deref() {
        Some("1") => return Some(Style::Named("decimal")),
        Some("a") => return Some(Style::Letters(Case::Lower)),
        Some("A") => return Some(Style::Letters(Case::Upper)),
        Some("i") => return Some(Style::Named("lowerRoman")),
        Some("I") => return Some(Style::Named("upperRoman")),
        _ => {}
    }
    let is_styled = |wanted: &str| {
        let is_wanted = |value: &str| value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(wanted));
        tag.style("list-style-type", is_wanted) || tag.style("list-style", is_wanted)
    };
    if !tag.has("style") {
        return None;
    }
    STYLES.iter().find(|(name, _)| is_styled(name)).map(|(_, style)| *style)
}

/// The values of `list-style-type`.
const STYLES: &[(&str, Style)] = &[
    ("none", Style::Bullets),
    ("disc", Style::Bullets),
    ("circle", Style::Bullets),
    ("square", Style::Bullets),
    ("decimal", Style::Named("decimal")),
    ("decimal-leading-zero", Style::Named("decimalZero")),
    ("lower-alpha", Style::Letters(Case::Lower)),
    ("lower-latin", Style::Letters(Case::Lower)),
    ("upper-alpha", Style::Letters(Case::Upper)),
    ("upper-latin", Style::Letters(Case::Upper)),
    ("lower-roman", Style::Named("lowerRoman")),
    ("upper-roman", Style::Named("upperRoman")),
    ("lower-greek", Style::Named("lowerGreek")),
    ("hebrew", Style::Named("hebrew1")),
    ("cjk-ideographic", Style::Named("chineseCounting")),
    ("thai", Style::Named("thaiNumbers")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_one_are_decimal_and_letters_go_on_after_z() {
        let letters = Style::Letters(Case::Upper);
        assert_eq!([-2, 0, 1, 28].map(|number| label(letters, number)), ["-2.", "0.", "A.", "AB."]);
        assert_eq!([-2, 7].map(|number| label(Style::Named("decimalZero"), number)), ["-2.", "07."]);
    }
}
