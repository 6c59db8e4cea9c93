//! Lists of numbers: what is said before the first one holds for the others too, as in `sections 4.1.2.3 and 4.1.2.4`.

use super::label::Found;
use super::words::{Label, normal};

/// What may stand between two numbers of a list.
const JOINTS: &str = " , ; / | & - to and or und oder bis sowie et ou y e o u a i ed od til och og eller ja en of till through \
    til и или а до та 和 或 と 、 through thru vs -> → and/or und/oder ";
/// The longest of them with its spaces, in bytes.
const LONGEST: usize = 14;

/// The number before, and its label.
#[derive(Debug, Default)]
pub(super) struct List {
    last: Option<Item>,
}

#[derive(Debug)]
struct Item {
    found: Found,
    end: usize,
    /// Whether it is written with dots only.
    dotted: bool,
    digits: usize,
}

impl List {
    /// The label of the number before `at`, if the one there goes on with its list.
    pub(super) fn label(&self, text: &str, at: usize) -> Option<Found> {
        let item = self.last.as_ref()?;
        let gap = text.get(item.end..at).filter(|gap| gap.len() <= LONGEST)?;
        let gap = normal(gap.trim_matches([' ', '(', '§']));
        let joins = !gap.is_empty()
            && gap.split([' ']).filter(|word| !word.is_empty()).all(|word| {
                let word = word.trim_start_matches([',', ';']);
                word.is_empty() || JOINTS.split(' ').any(|joint| joint == word)
            });
        // The numbers of a list look alike.
        let most = if item.found.label == Label::Order { 0 } else { 2 };
        let is_alike = item.digits.abs_diff(digits(&text[at..], item.dotted)) <= most;
        (joins && is_alike).then_some(item.found)
    }

    /// Remembers the number at `at`, which ends at `end` if something was found.
    pub(super) fn add(&mut self, text: &str, at: usize, end: Option<usize>, found: Option<Found>) {
        let Some(found) = found else { return };
        let dotted = match found.label {
            Label::Version | Label::Product | Label::Section | Label::MayBeSection => true,
            Label::Phone | Label::Ssn | Label::Order => false,
            // An identity number has a form of its own, and there is mostly one.
            _ => return,
        };
        let inner = |c: char| c.is_ascii_digit() || c == '.' || (!dotted && matches!(c, '-' | '/'));
        let rest = &text[at..];
        if end.is_none() && (!rest.starts_with(|c: char| c.is_ascii_digit()) || text[..at].ends_with(inner)) {
            return;
        }
        let end = end.unwrap_or_else(|| at + rest.find(|c: char| !inner(c)).unwrap_or(rest.len()));
        let end = at + text[at..end].trim_end_matches(['.', '-', '/']).len();
        self.last = Some(Item { found, end, dotted, digits: digits(&text[at..end], dotted) });
    }
}

/// The most bytes of a number.
const MOST: usize = 40;

/// How many digits the number at the start has.
fn digits(rest: &str, dotted: bool) -> usize {
    let signs: &[u8] = if dotted { b"." } else { b" .-()+" };
    let number = rest.bytes().take(MOST).take_while(|byte| byte.is_ascii_digit() || signs.contains(byte));
    number.filter(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_on(first: &str, gap: &str, second: &str) -> bool {
        let text = format!("{first}{gap}{second}");
        let mut list = List::default();
        list.add(&text, 0, None, Some(Found { label: Label::Section, direct: true }));
        list.label(&text, first.len() + gap.len()).is_some()
    }

    #[test]
    fn a_list_goes_on_after_a_comma_or_a_conjunction() {
        for gap in [", ", " and ", ", and ", " / ", " bis ", "; ", " y ", " и ", ", §", "-"] {
            assert!(goes_on("4.1.2.3", gap, "4.1.2.4"), "{gap}");
        }
    }

    #[test]
    fn another_word_or_a_number_of_another_kind_ends_it() {
        assert!(!goes_on("4.1.2.3", " about ", "4.1.2.4"));
        assert!(!goes_on("4.1.2.3", ", ", "192.168.100.4"));
        assert!(!goes_on("4.1.2.3", " ", "4.1.2.4"));
        assert!(!goes_on("+", "", "52.520008"));
    }
}
