//! How the numbers of lists and headings of an open document are counted and written.

use std::collections::BTreeMap;

use quick_xml::events::BytesStart;

use crate::package::{attribute, number};
use crate::words::numerals;

/// What stands around the numbers of a level is no longer than this, nor is the name of a style.
pub(super) const LONGEST: usize = 255;

/// How a level of a list is numbered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Level {
    /// The name of the format; empty for none.
    format: &'static str,
    prefix: String,
    suffix: String,
    /// How many levels, this one the last, are shown.
    shown: usize,
    start: u64,
    is_bullet: bool,
}

/// The numbers of a list, by level from one.
pub(super) type Numbers = [Option<u64>; 11];

/// The numbers of every list style: a list may continue the one before it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    by_style: BTreeMap<String, Numbers>,
    by_list: BTreeMap<String, Numbers>,
}

impl Level {
    /// Reads the style of a level.
    pub(super) fn of(tag: &BytesStart<'_>) -> Self {
        let is_bullet = matches!(tag.local_name().as_ref(), "list-level-style-bullet" | "list-level-style-image");
        let format = match attribute(tag, "num-format").as_deref() {
            None | Some("") => "",
            Some("a") => "lowerLetter",
            Some("A") => "upperLetter",
            Some("i") => "lowerRoman",
            Some("I") => "upperRoman",
            Some("一, 二, 三, ...") => "chineseCountingThousand",
            Some("①, ②, ③, ...") => "decimalEnclosedCircle",
            Some("01, 02, 03, ...") => "decimalZero",
            Some(_) => "decimal",
        };
        Self {
            format,
            prefix: attribute(tag, "num-prefix").filter(|text| text.len() <= LONGEST).unwrap_or_default(),
            suffix: attribute(tag, "num-suffix").filter(|text| text.len() <= LONGEST).unwrap_or_default(),
            shown: number(tag, "display-levels").and_then(|levels| usize::try_from(levels).ok()).unwrap_or(1).max(1),
            start: number(tag, "start-value").map_or(1, u64::from),
            is_bullet,
        }
    }

    /// Whether items of the level have a sign and no number.
    pub(super) fn is_bullet(&self) -> bool {
        self.is_bullet
    }
}

impl Counters {
    /// Begins a list; it goes on with the numbers of another if it says so.
    pub(super) fn begin(&self, style: &str, continues: Option<&str>, goes_on: bool) -> Numbers {
        match continues.and_then(|list| self.by_list.get(list)) {
            Some(numbers) => *numbers,
            None if goes_on => self.by_style.get(style).copied().unwrap_or_default(),
            None => Numbers::default(),
        }
    }

    /// Ends a list.
    pub(super) fn end(&mut self, style: &str, id: Option<String>, numbers: Numbers) {
        self.by_style.insert(style.to_owned(), numbers);
        if let Some(id) = id {
            self.by_list.insert(id, numbers);
        }
    }
}

/// Counts the next item of a level, and writes its number; `of` gives the style of each level.
pub(super) fn next<'l>(
    numbers: &mut Numbers,
    level: usize,
    stated: Option<u64>,
    of: impl Fn(usize) -> Option<&'l Level>,
) -> String {
    let Some(style) = of(level) else {
        return String::new();
    };
    let level = level.clamp(1, numbers.len() - 1);
    let number = stated.unwrap_or_else(|| numbers[level].map_or(style.start, |last| last.saturating_add(1)));
    numbers[level] = Some(number);
    numbers[level + 1..].fill(None);
    if style.format.is_empty() {
        return format!("{}{}", style.prefix, style.suffix).trim().to_owned();
    }
    let first = (level + 1).saturating_sub(style.shown).max(1);
    let shown = (first..=level).filter_map(|shown| {
        let of_level = of(shown).filter(|of_level| !of_level.format.is_empty())?;
        Some(numerals::written(of_level.format, numbers[shown].unwrap_or(of_level.start)))
    });
    let text = format!("{}{}{}", style.prefix, shown.collect::<Vec<_>>().join("."), style.suffix);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_as_many_levels_as_the_style_says() {
        let level = |format, prefix: &str, suffix: &str, shown| Level {
            format,
            prefix: prefix.into(),
            suffix: suffix.into(),
            shown,
            start: 1,
            is_bullet: false,
        };
        let levels =
            [level("upperRoman", "Art. ", "", 1), level("decimal", "", ".", 2), level("lowerLetter", "(", ")", 1)];
        let of = |place: usize| levels.get(place - 1);
        let mut numbers = Numbers::default();
        let written: Vec<String> = [(1, None), (2, None), (2, None), (3, None), (1, Some(5)), (2, None)]
            .into_iter()
            .map(|(level, stated)| next(&mut numbers, level, stated, of))
            .collect();
        assert_eq!(written, ["Art. I", "I.1.", "I.2.", "(a)", "Art. V", "V.1."]);
    }
}
