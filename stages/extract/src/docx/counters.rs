//! The number of each item, heading and clause, as Word counts them.

use std::collections::{BTreeMap, BTreeSet};

use super::numbering::{LEVELS, Level, Numbering};
use crate::words::numerals;

/// Where a paragraph is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The list; zero for none.
    pub(super) list: u32,
    /// The nesting level, from zero.
    pub(super) level: usize,
}

/// What stands before the text of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label {
    /// A sign that only says that it is an item.
    Bullet,
    /// A number, which references in the text may use.
    Number(String),
    /// Nothing.
    None,
}

/// The numbers used so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// The last number of each level, by definition: lists of one definition continue each other.
    last: BTreeMap<u32, [Option<u64>; LEVELS]>,
    /// Levels of lists that have had their own start.
    started: BTreeSet<(u32, usize)>,
}

impl Counters {
    /// Counts the next item at this place.
    pub(super) fn next(&mut self, numbering: &Numbering, place: Place) -> Label {
        let Some(definition) = numbering.definition(place.list) else {
            return Label::Bullet;
        };
        let Some(level) = numbering.level(place.list, place.level) else {
            return Label::Bullet;
        };
        let last = self.last.entry(definition).or_default();
        let own = numbering.start(place.list, place.level);
        let start = |of: usize| {
            let level = numbering.level(place.list, of).and_then(|level| level.start);
            numbering.start(place.list, of).or(level).unwrap_or(if of == place.level { 1 } else { 0 })
        };
        let number = match (own, last[place.level]) {
            (Some(own), _) if self.started.insert((place.list, place.level)) => own,
            (_, Some(last)) => last.saturating_add(1),
            (_, None) => start(place.level),
        };
        last[place.level] = Some(number);
        for (deeper, last) in last.iter_mut().enumerate().skip(place.level + 1) {
            let restart = numbering.level(place.list, deeper).and_then(|level| level.restart);
            // A level restarts after any higher one, unless it names one, or none.
            if restart.is_none_or(|restart| place.level < restart) {
                *last = None;
            }
        }
        let numbers: Vec<u64> = (0..LEVELS).map(|of| last[of].unwrap_or_else(|| start(of).max(1))).collect();
        label(numbering, place, level, &numbers)
    }
}

fn label(numbering: &Numbering, place: Place, level: &Level, numbers: &[u64]) -> Label {
    if level.format == "bullet" {
        return Label::Bullet;
    }
    let mut text = String::new();
    let usual = format!("%{}.", place.level + 1);
    let mut letters = level.text.as_deref().unwrap_or(&usual).chars().peekable();
    while let Some(letter) = letters.next() {
        let digit = letters.peek().and_then(|digit| digit.to_digit(10)).filter(|digit| letter == '%' && *digit > 0);
        let Some(digit) = digit else {
            text.extend(crate::whitespace::plain(letter));
            continue;
        };
        letters.next();
        let of = digit as usize - 1;
        let shown = if of == place.level { Some(level) } else { numbering.level(place.list, of) };
        if let (Some(shown), Some(number)) = (shown, numbers.get(of)) {
            let format = match shown.format.as_str() {
                // "Section 1.01" keeps its zero.
                format if level.is_legal && format != "decimalZero" => "decimal",
                format => format,
            };
            match shown.width > 2 && format == "decimal" {
                true => text.push_str(&format!("{number:0width$}", width = shown.width)),
                false => text.push_str(&numerals::written(format, *number)),
            }
        }
    }
    let text: String = text.chars().map(crate::words::symbols::guess).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.as_str() {
        "" => Label::None,
        sign if level.format == "none" && sign.chars().all(|letter| !letter.is_alphanumeric()) => Label::Bullet,
        _ => Label::Number(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample as xml;

    fn level(place: usize, format: &str, text: &str, more: &str) -> String {
        format!("<lvl ilvl='{place}'><start val='1'/><numFmt val='{format}'/>{more}<lvlText val='{text}'/></lvl>")
    }

    fn numbering(definitions: &[String], lists: &str) -> Numbering {
        let definitions: String = definitions
            .iter()
            .enumerate()
            .map(|(id, levels)| format!("<abstractNum abstractNumId='{id}'>{levels}</abstractNum>"))
            .collect();
        Numbering::read(Some(xml(&format!("<numbering>{definitions}{lists}</numbering>")))).unwrap()
    }

    fn numbers(numbering: &Numbering, places: &[(u32, usize)]) -> Vec<String> {
        let mut counters = Counters::default();
        let label = |(list, level): &(u32, usize)| match counters.next(numbering, Place { list: *list, level: *level })
        {
            Label::Bullet => "-".to_owned(),
            Label::Number(text) => text,
            Label::None => String::new(),
        };
        places.iter().map(label).collect()
    }

    const ONE: &str = "<num numId='1'><abstractNumId val='0'/></num>";

    #[test]
    fn levels_have_the_numbers_of_those_above_and_restart_after_them() {
        let levels = [
            level(0, "decimal", "%1.", ""),
            level(1, "decimal", "%1.%2", ""),
            level(2, "lowerLetter", "(%3)", ""),
            level(3, "bullet", "x", ""),
        ];
        let numbering = numbering(&[levels.concat()], ONE);
        let places = [(1, 0), (1, 1), (1, 1), (1, 2), (1, 3), (1, 0), (1, 1), (1, 2), (9, 0)];
        assert_eq!(numbers(&numbering, &places), ["1.", "1.1", "1.2", "(a)", "-", "2.", "2.1", "(a)", "-"]);
    }

    #[test]
    fn lists_of_one_definition_continue_unless_they_have_a_start_of_their_own() {
        let lists = "<num numId='1'><abstractNumId val='0'/></num><num numId='2'><abstractNumId val='0'/></num>\
                     <num numId='3'><abstractNumId val='0'/><lvlOverride ilvl='0'><startOverride val='7'/></lvlOverride></num>";
        let numbering = numbering(&[level(0, "decimal", "%1)", "")], lists);
        assert_eq!(numbers(&numbering, &[(1, 0), (2, 0), (3, 0), (3, 0), (1, 0)]), ["1)", "2)", "7)", "8)", "9)"]);
    }

    #[test]
    fn a_level_may_restart_after_a_certain_level_only_or_never() {
        let levels = [
            level(0, "upperRoman", "%1.", ""),
            level(1, "decimal", "Article %2", "<lvlRestart val='0'/>"),
            level(2, "decimal", "%2.%3", "<lvlRestart val='1'/>"),
        ];
        let numbering = numbering(&[levels.concat()], ONE);
        let places = [(1, 0), (1, 1), (1, 2), (1, 1), (1, 2), (1, 0), (1, 1), (1, 2)];
        let expected = ["I.", "Article 1", "1.1", "Article 2", "2.2", "II.", "Article 3", "3.1"];
        assert_eq!(numbers(&numbering, &places), expected);
    }

    #[test]
    fn legal_levels_are_decimal_and_formats_may_have_leading_zeros() {
        let levels = [
            level(0, "upperRoman", "Art. %1", ""),
            level(1, "decimal", "%1.%2", "<isLgl/>"),
            "<lvl ilvl='2'><start val='0'/><numFmt val='custom' format='001, 002, ...'/><lvlText val='N%3'/></lvl>"
                .to_owned(),
        ];
        let numbering = numbering(&[levels.concat()], ONE);
        assert_eq!(numbers(&numbering, &[(1, 0), (1, 1), (1, 2), (1, 2)]), ["Art. I", "1.1", "N000", "N001"]);
    }

    #[test]
    fn a_level_before_any_higher_one_has_its_first_number() {
        let levels = [level(0, "decimal", "%1", ""), level(1, "decimal", "%1.%2", "")];
        assert_eq!(numbers(&numbering(&[levels.concat()], ONE), &[(1, 1), (1, 0)]), ["1.1", "1"]);
    }

    #[test]
    fn a_list_may_use_the_definition_of_a_numbering_style_and_levels_of_its_own() {
        let borrowing = "<numStyleLink val='Legal'/>".to_owned();
        let lending = format!("<styleLink val='Legal'/>{}", level(0, "decimal", "§ %1", "<pStyle val='Clause'/>"));
        let lists = "<num numId='1'><abstractNumId val='0'/></num><num numId='2'><abstractNumId val='1'/>\
                     <lvlOverride ilvl='0'><lvl ilvl='0'><numFmt val='upperLetter'/><lvlText val='%1'/></lvl></lvlOverride></num>";
        let numbering = numbering(&[borrowing, lending], lists);
        assert_eq!(numbers(&numbering, &[(1, 0), (1, 0), (2, 0)]), ["§ 1", "§ 2", "C"]);
        assert_eq!(numbering.level_of_style(1, "Clause"), Some(0));
    }
}
