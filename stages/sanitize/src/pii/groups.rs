//! Digits in groups, as in numbers written for humans: `(030) 123-45 67`.

/// The most groups that a number of any kind has, plus one to detect that it continues.
const MAX_GROUPS: usize = 9;
/// A longer run of digits is not a group but another kind of number.
const MAX_DIGITS: usize = 19;

/// What separates a group from the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Separator {
    /// Nothing but brackets.
    #[default]
    Tight,
    Space,
    Dash,
    Dot,
    Slash,
}

/// Whether a group is in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Bracket {
    #[default]
    Without,
    Around,
}

/// One run of digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group<'a> {
    pub(super) digits: &'a str,
    /// The end in the text, after the closing bracket if any.
    pub(super) end: usize,
    /// The separator before this group; `Tight` for the first.
    pub(super) separator: Separator,
    pub(super) bracket: Bracket,
}

/// The consecutive groups that begin at one position.
pub(super) struct Groups<'a> {
    list: [Group<'a>; MAX_GROUPS],
    count: usize,
}

impl<'a> Groups<'a> {
    /// Reads groups from `at`, the position of a digit or an opening bracket.
    pub(super) fn read(text: &'a str, at: usize) -> Self {
        let mut groups = Self { list: [Group::default(); MAX_GROUPS], count: 0 };
        let mut next = Some((Separator::Tight, at));
        while let Some((separator, start)) = next {
            let Some(group) = read_group(text, start, separator) else {
                break;
            };
            groups.list[groups.count] = group;
            groups.count += 1;
            next = match groups.count {
                MAX_GROUPS => None,
                _ => read_separator(text, group.end),
            };
        }
        groups
    }

    pub(super) fn as_slice(&self) -> &[Group<'a>] {
        &self.list[..self.count]
    }
}

/// The total number of digits of the groups.
pub(super) fn digit_count(groups: &[Group<'_>]) -> usize {
    groups.iter().map(|group| group.digits.len()).sum()
}

/// Whether the groups have these lengths.
pub(super) fn has_lengths(groups: &[Group<'_>], lengths: &[usize]) -> bool {
    groups.iter().map(|group| group.digits.len()).eq(lengths.iter().copied())
}

/// Whether all groups after the first have this separator.
pub(super) fn all_separated_by(groups: &[Group<'_>], separator: Separator) -> bool {
    groups.iter().skip(1).all(|group| group.separator == separator)
}

fn read_group(text: &str, at: usize, separator: Separator) -> Option<Group<'_>> {
    let bracket = if text[at..].starts_with('(') { Bracket::Around } else { Bracket::Without };
    let start = match bracket {
        Bracket::Around => at + 1,
        Bracket::Without => at,
    };
    let length = text.as_bytes()[start..].iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > MAX_DIGITS {
        return None;
    }
    let end = start + length;
    let end = match bracket {
        Bracket::Without => end,
        Bracket::Around if text[end..].starts_with(')') => end + 1,
        Bracket::Around => return None,
    };
    Some(Group { digits: &text[start..start + length], end, separator, bracket })
}

/// The separator at `at`, and where the next group begins: a sign with or without spaces around it, or one space.
fn read_separator(text: &str, at: usize) -> Option<(Separator, usize)> {
    let rest = &text[at..];
    let bare = rest.strip_prefix(' ').unwrap_or(rest);
    let (separator, after) = match bare.chars().next() {
        Some('-') => (Separator::Dash, after_sign(rest, bare)),
        Some('/') => (Separator::Slash, after_sign(rest, bare)),
        Some('.') if bare.len() == rest.len() => (Separator::Dot, &bare[1..]),
        _ if bare.len() < rest.len() => (Separator::Space, bare),
        _ => (Separator::Tight, bare),
    };
    let next = text.len() - after.len();
    // Without a sign, only a bracket separates two groups.
    let separated = separator != Separator::Tight || after.starts_with('(') || text[..at].ends_with(')');
    (separated && after.starts_with(|c: char| c == '(' || c.is_ascii_digit())).then_some((separator, next))
}

/// The text after the sign at the start of `bare`; a space before the sign requires one after it.
fn after_sign<'a>(rest: &'a str, bare: &'a str) -> &'a str {
    let mut chars = bare.chars();
    chars.next();
    let after = chars.as_str();
    match bare.len() < rest.len() {
        true => after.strip_prefix(' ').unwrap_or(""),
        false => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(&str, Separator, Bracket)> {
        Groups::read(text, 0).as_slice().iter().map(|group| (group.digits, group.separator, group.bracket)).collect()
    }

    #[test]
    fn groups_are_read_with_their_separators() {
        use Bracket::{Around, Without};
        use Separator::{Dash, Dot, Slash, Space, Tight};
        assert_eq!(
            shape("12 34-5.6/7x"),
            [
                ("12", Tight, Without),
                ("34", Space, Without),
                ("5", Dash, Without),
                ("6", Dot, Without),
                ("7", Slash, Without),
            ]
        );
        assert_eq!(
            shape("(030)12 (3) 4"),
            [("030", Tight, Around), ("12", Tight, Without), ("3", Space, Around), ("4", Space, Without),]
        );
        assert_eq!(
            shape("030 / 12 - 3 4"),
            [("030", Tight, Without), ("12", Slash, Without), ("3", Dash, Without), ("4", Space, Without),]
        );
    }

    #[test]
    fn groups_end_at_two_spaces_a_lone_sign_and_an_open_bracket() {
        for text in ["12  34", "12 -34", "12- 34", "12 .34", "12, 34", "12 (34", "12 ()"] {
            assert_eq!(shape(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_long_run_of_digits_is_not_a_group() {
        assert!(shape(&"1".repeat(20)).is_empty());
        assert_eq!(shape(&"1".repeat(19)).len(), 1);
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        assert_eq!(shape(&"1 ".repeat(50)).len(), MAX_GROUPS);
    }
}
