//! The numbers of the items of a shape.

use crate::words::numerals;

/// How a paragraph is marked as an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Bullet {
    /// As its placeholder says.
    #[default]
    Inherited,
    /// Not at all.
    None,
    /// With a sign.
    Sign,
    /// With a number.
    Number {
        /// The name of its format.
        format: String,
        /// The first number.
        start: u64,
    },
}

/// The last number of each level, with its format.
#[derive(Debug, Default)]
pub(super) struct Counters(Vec<(usize, String, u64)>);

impl Counters {
    /// The label of the next item of this level; `None` if it is no item.
    pub(super) fn label(&mut self, level: usize, bullet: &Bullet, is_list: bool) -> Option<String> {
        self.0.retain(|(counted, _, _)| *counted <= level);
        match bullet {
            Bullet::Inherited if is_list => Some("-".into()),
            Bullet::Sign => Some("-".into()),
            Bullet::Inherited | Bullet::None => None,
            Bullet::Number { format, start } => {
                let before = self.0.iter().position(|(counted, other, _)| *counted == level && other == format);
                let number = match before.and_then(|place| self.0.get_mut(place)) {
                    Some((_, _, last)) => {
                        *last = last.saturating_add(1);
                        *last
                    }
                    None => {
                        self.0.retain(|(counted, _, _)| *counted != level);
                        self.0.push((level, format.clone(), *start));
                        *start
                    }
                };
                Some(written(format, number))
            }
        }
    }
}

/// A number in a format such as "romanUcPeriod".
fn written(format: &str, number: u64) -> String {
    let style = match format {
        format if format.starts_with("alphaLc") => "lowerLetter",
        format if format.starts_with("alphaUc") => "upperLetter",
        format if format.starts_with("romanLc") => "lowerRoman",
        format if format.starts_with("romanUc") => "upperRoman",
        format if format.starts_with("circleNum") => "decimalEnclosedCircle",
        format if format.starts_with("ea1") => "chineseCountingThousand",
        _ => "decimal",
    };
    let number = numerals::written(style, number);
    match format {
        format if format.ends_with("ParenBoth") => format!("({number})"),
        format if format.ends_with("ParenR") => format!("{number})"),
        format if format.ends_with("Plain") => number,
        _ => format!("{number}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_numbered_by_level_and_format() {
        let number = |format: &str, start| Bullet::Number { format: format.into(), start };
        let mut counters = Counters::default();
        let labels: Vec<Option<String>> = [
            (0, number("arabicPeriod", 3)),
            (1, number("alphaLcParenR", 1)),
            (1, number("alphaLcParenR", 1)),
            (0, number("arabicPeriod", 3)),
            (1, number("alphaLcParenR", 1)),
            (0, Bullet::Sign),
            (0, Bullet::None),
        ]
        .iter()
        .map(|(level, bullet)| counters.label(*level, bullet, true))
        .collect();
        let expected = [Some("3."), Some("a)"), Some("b)"), Some("4."), Some("a)"), Some("-"), None];
        assert_eq!(labels, expected.map(|label| label.map(str::to_owned)));
    }
}
