//! One pass over a text that says which detectors have anything to look for, and where a secret can begin: most texts hold
//! nothing that most detectors begin with.

use super::secrets::starts::{BUCKETS, MISFITS, SPELLED_DOT, STAGES};

/// Bytes of one class, as a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(u16);

impl Class {
    /// What an artifact can begin with.
    pub(crate) const ARTIFACT: Self = Self(1);
    pub(crate) const FORM_FEED: Self = Self(1 << 1);
    /// What a character can begin with that the detectors see as another one.
    pub(crate) const FOLDS: Self = Self(1 << 2);
    /// "[", with which the replacements of this stage begin.
    pub(crate) const BRACKET: Self = Self(1 << 3);
    pub(crate) const SLASH: Self = Self(1 << 4);
    pub(crate) const COLON: Self = Self(1 << 5);
    /// What an "@" can begin with that is written as itself or as a number.
    pub(crate) const SIGN: Self = Self(1 << 6);
    /// Brackets, in which an "@" may be spelled.
    pub(crate) const OPENING: Self = Self(1 << 7);
    pub(crate) const DIGIT: Self = Self(1 << 8);
    /// What separates the groups of a hardware address, which may have no digit.
    pub(crate) const SEPARATOR: Self = Self(1 << 9);
    pub(crate) const AT: Self = Self(1 << 10);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn of(byte: u8) -> Self {
        let mut class = Self(0);
        match byte {
            b'\t' | b'\n' => {}
            b'\x0c' => class = Self::FORM_FEED,
            0..=0x1f | 0x7f | 0xd8 | 0xf3 => class = Self::ARTIFACT,
            // Most alphabets and ideographs begin with other bytes.
            0xc2 | 0xe2 | 0xef | 0xf0 => class = Self::ARTIFACT.or(Self::FOLDS),
            0xcb | 0xd9 | 0xdb | 0xdf..=0xe1 | 0xe3 => class = Self::FOLDS,
            b'[' => class = Self::BRACKET.or(Self::OPENING),
            b'(' | b'{' => class = Self::OPENING,
            b'/' => class = Self::SLASH,
            b':' => class = Self::COLON.or(Self::SEPARATOR),
            b'-' | b'.' => class = Self::SEPARATOR,
            b'@' => class = Self::AT.or(Self::SIGN),
            b'%' | b'=' | b'&' | b'<' | b'\\' => class = Self::SIGN,
            b'0'..=b'9' => class = Self::DIGIT,
            _ => {}
        }
        class
    }
}

const fn classes() -> [u16; 256] {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = Class::of(byte as u8).0;
        byte += 1;
    }
    all
}

static CLASSES: [u16; 256] = classes();

/// The bits of the last stage.
const LAST_STAGE: u64 = u64::MAX << (64 - BUCKETS);

/// What is in a text.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    classes: u16,
    /// Where a secret can begin, ascending.
    secrets: Vec<usize>,
    /// Whether a dot is spelled as a word between spaces.
    spells_dot: bool,
}

impl Survey {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut survey = Self::default();
        let mut classes = 0;
        // A stage has a zero for every group of beginnings that fits so far; each byte moves all of them one stage on.
        let mut state = u64::MAX;
        for (at, byte) in bytes.iter().enumerate() {
            classes |= CLASSES[usize::from(*byte)];
            state = (state << BUCKETS) | MISFITS[usize::from(*byte)];
            if state < LAST_STAGE {
                survey.candidate(bytes, at + 1 - STAGES, !(state | !LAST_STAGE) >> (64 - BUCKETS));
            }
        }
        survey.classes = classes;
        survey
    }

    /// Adds what can begin at `start`, in these groups.
    #[cold]
    fn candidate(&mut self, bytes: &[u8], start: usize, groups: u64) {
        if groups & !(1 << SPELLED_DOT) != 0 {
            self.secrets.push(start);
        }
        if matches!(bytes[start..], [b' ', b'd', b'o', b't', b' ', ..] | [b' ', b'D', b'O', b'T', b' ', ..]) {
            self.spells_dot = true;
        }
    }

    /// Whether there is a byte of any of these classes.
    pub(crate) fn has(&self, classes: Class) -> bool {
        self.classes & classes.0 != 0
    }

    /// Where a secret can begin, ascending.
    pub(crate) fn secrets(&self) -> &[usize] {
        &self.secrets
    }

    pub(crate) fn spells_dot(&self) -> bool {
        self.spells_dot
    }

    /// Whether no detector has anything to begin with.
    pub(crate) fn is_barren(&self) -> bool {
        let any = Class::DIGIT.or(Class::SEPARATOR).or(Class::SIGN).or(Class::OPENING);
        !self.has(any) && self.secrets.is_empty() && !self.spells_dot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pii::secrets::starts::BEGINNINGS;

    #[test]
    fn every_beginning_of_a_secret_is_seen_in_any_case() {
        for beginning in BEGINNINGS {
            let whole = format!("é {beginning}0000 ");
            for text in [whole.clone(), whole.to_ascii_uppercase(), whole.to_ascii_lowercase()] {
                assert!(Survey::of(&text).secrets().contains(&3), "{text}");
            }
        }
    }

    #[test]
    fn prose_is_barren() {
        assert!(Survey::of("The fox").is_barren());
        for text in ["a1", "a-b", "a@b", "(at)", "mia at example dot com", "pwd is x", "mia&commat;b", "a::b"] {
            assert!(!Survey::of(text).is_barren(), "{text}");
        }
    }

    #[test]
    fn a_spelled_dot_is_a_whole_word() {
        assert!(Survey::of("example DOT com").spells_dot());
        assert!(!Survey::of("example dots ").spells_dot() && !Survey::of("a doting").spells_dot());
    }
}
