//! Social security numbers of the United States.

use super::boundary::closes;
use super::groups::{Bracket, Group, Separator, all_separated_by, has_lengths};
use super::words::Label;

/// The end of the number that begins at `at` with these groups. Three groups with dashes are enough; any other notation
/// must be announced.
pub(super) fn end(text: &str, groups: &[Group<'_>], label: Option<Label>) -> Option<usize> {
    let (count, digits) = match groups {
        [a, b, c, ..] if has_lengths(&groups[..3], &[3, 2, 4]) => (3, [a.digits, b.digits, c.digits]),
        [all, ..] if all.digits.len() == 9 => (1, [&all.digits[..3], &all.digits[3..5], &all.digits[5..]]),
        _ => return None,
    };
    let number = &groups[..count];
    let end = number.last()?.end;
    let bracketed = number.iter().any(|group| group.bracket == Bracket::Around);
    if bracketed || !is_assignable(digits) || !closes(text, end) {
        return None;
    }
    let dashed = count == 3 && all_separated_by(number, Separator::Dash);
    let even = [Separator::Space, Separator::Dot].iter().any(|separator| all_separated_by(number, *separator));
    (dashed || (even && label == Some(Label::Ssn))).then_some(end)
}

/// Whether such a number can exist: none has the area 000, 666 or 9xx, the group 00 or the serial 0000.
fn is_assignable([area, group, serial]: [&str; 3]) -> bool {
    !matches!(area, "000" | "666") && !area.starts_with('9') && group != "00" && serial != "0000"
}

#[cfg(test)]
mod tests {
    use super::super::groups::Groups;
    use super::super::label;
    use super::*;

    fn found<'a>(before: &str, number: &'a str) -> Option<&'a str> {
        let text = format!("{before}{number}");
        let label = label::before(&text, before.len()).map(|found| found.label);
        end(&text, Groups::read(&text, before.len()).as_slice(), label).map(|end| &number[..end - before.len()])
    }

    #[test]
    fn dashes_are_enough() {
        assert_eq!(found("", "078-05-1123"), Some("078-05-1123"));
        assert_eq!(found("", "078-05-1123."), Some("078-05-1123"));
    }

    #[test]
    fn other_notations_must_be_announced() {
        for number in ["078 05 1123", "078.05.1123", "078051123"] {
            assert_eq!(found("", number), None);
            assert_eq!(found("SSN: ", number), Some(number));
            assert_eq!(found("social security number ", number), Some(number));
        }
    }

    #[test]
    fn numbers_that_cannot_exist_are_not_found() {
        for number in
            ["000-12-3456", "666-12-3456", "900-12-3456", "078-00-1123", "078-05-0000", "078-05.1123", "078-05-11234"]
        {
            assert_eq!(found("SSN ", number), None, "{number}");
        }
        for text in [
            "000123456",
            "078001123",
            "078050000",
            "666123456",
            "900123456",
            "078-05-1123-4",
            "078-05-1123a",
            "(078)-05-1123",
            "078-05-112",
        ] {
            assert_eq!(found("SSN ", text), None, "{text}");
        }
    }
}
