//! Measures text in the configured unit, one character at a time, forwards or backwards.

use gristmill_sdk::serde::Deserialize;

use crate::characters;

/// What `size` and `overlap` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
pub enum Unit {
    /// Unicode scalar values.
    Characters,
    /// Estimated model tokens; the README describes the method and its error.
    Tokens,
    /// Tokens of GPT-4o and later models of OpenAI, counted by the host.
    #[serde(rename = "o200k_base")]
    O200kBase,
    /// Tokens of GPT-4, GPT-3.5 and `text-embedding-3`, counted by the host.
    #[serde(rename = "cl100k_base")]
    Cl100kBase,
}

/// Estimated tokens of a text, rounded up.
pub(crate) fn estimated(text: &str) -> u64 {
    let mut meter = Meter::new(Unit::Tokens);
    meter.add_text(text);
    meter.used.div_ceil(ONE).max(1)
}

/// One unit on the meter's scale, which counts fractions of a token in integers.
const ONE: u64 = 100;

/// How much of the start of `text` fits into `limit` units, in bytes, if `meter` has measured what stands before it.
pub(crate) fn fitting(text: &str, mut meter: Meter, limit: u32) -> usize {
    if meter.unit == Unit::Characters {
        let left = u64::from(limit).saturating_sub(meter.used / ONE);
        return characters::position(text, usize::try_from(left).unwrap_or(usize::MAX));
    }
    for (offset, character) in text.char_indices() {
        meter.add(character);
        if !meter.fits(limit) {
            return offset;
        }
    }
    text.len()
}

/// Whether a text has at least `limit` units. It is read no further than needed.
pub(crate) fn reaches(text: &str, unit: Unit, limit: u32) -> bool {
    limit == 0 || text.len() as u64 >= u64::from(limit) * unit.bytes_max() || {
        fitting(text, Meter::new(unit), limit - 1) < text.len()
    }
}

impl Unit {
    /// The encoding in which the host counts; `None` where nothing is counted by the host.
    pub(crate) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::Characters | Self::Tokens => None,
            Self::O200kBase => Some("o200k_base"),
            Self::Cl100kBase => Some("cl100k_base"),
        }
    }

    /// How many bytes a unit has at most; of tokens, in text that is not mostly white space.
    fn bytes_max(self) -> u64 {
        match self {
            Self::Characters => 4,
            Self::Tokens | Self::O200kBase | Self::Cl100kBase => 8,
        }
    }
}

/// Measures a piece of text.
///
/// Tokens are estimated from runs of one kind of character (a word, a number, a gap). The price of a run depends only
/// on its length, so a text costs the same in both directions. The prices are fitted to `cl100k_base`.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    unit: Unit,
    used: u64,
    run: Option<(Kind, u32)>,
}

impl Meter {
    pub(crate) fn new(unit: Unit) -> Self {
        Self { unit, used: 0, run: None }
    }

    /// Adds the next character of the text, or the previous one when measuring backwards.
    pub(crate) fn add(&mut self, character: char) {
        self.used += match self.unit {
            Unit::Characters => ONE,
            Unit::Tokens | Unit::O200kBase | Unit::Cl100kBase => self.token_price(character),
        };
    }

    /// Adds a text.
    pub(crate) fn add_text(&mut self, text: &str) {
        if self.unit == Unit::Characters {
            self.used += characters::count(text) as u64 * ONE;
            return;
        }
        for character in text.chars() {
            self.add(character);
        }
    }

    /// Keeps room for a line that will stand at the end, and for the line end before it.
    pub(crate) fn reserve_line(&mut self, line: &str) {
        let mut meter = Self::new(self.unit);
        meter.add_text("\n\n");
        meter.add_text(line);
        self.used += meter.used;
    }

    /// Whether what was added fits into `limit` units.
    pub(crate) fn fits(&self, limit: u32) -> bool {
        self.used <= u64::from(limit) * ONE
    }

    /// Whether what was added is at least `limit` units.
    pub(crate) fn reaches(&self, limit: u32) -> bool {
        self.used >= u64::from(limit) * ONE
    }

    fn token_price(&mut self, character: char) -> u64 {
        let kind = Kind::of(character);
        let run_length = match self.run {
            Some((same, length)) if same == kind => length,
            _ => 0,
        };
        self.run = Some((kind, run_length.saturating_add(1)));
        kind.price(run_length) + accent_price(kind, character)
    }
}

/// Kinds of characters that tokenizers treat alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Latin,
    Digit,
    Sign,
    Greek,
    Semitic,
    WideSign,
    Wide,
    Beyond,
}

impl Kind {
    fn of(character: char) -> Self {
        match character {
            '0'..='9' => Self::Digit,
            'a'..='z' | 'A'..='Z' => Self::Latin,
            _ if character.is_whitespace() => Self::Space,
            '\0'..='\u{bf}' => Self::Sign,
            '\u{c0}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' => Self::Latin,
            // Greek, Cyrillic, Armenian.
            '\u{370}'..='\u{58f}' => Self::Greek,
            // Hebrew, Arabic and the scripts next to them.
            '\u{590}'..='\u{8ff}' => Self::Semitic,
            // General punctuation and symbols.
            '\u{2000}'..='\u{2bff}' => Self::Sign,
            // Punctuation of Chinese and Japanese.
            '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' => Self::WideSign,
            '\0'..='\u{ffff}' => Self::Wide,
            _ => Self::Beyond,
        }
    }

    /// The price of the next character of a run that has `run_length` so far, in hundredths of a token.
    fn price(self, run_length: u32) -> u64 {
        match (self, run_length) {
            // A single gap belongs to the word after it.
            (Self::Space, 0) => 0,
            (Self::Space, _) => 3,
            (Self::Latin, 0) => 105,
            (Self::Latin, 1..=6) => 0,
            (Self::Latin, _) => 40,
            (Self::Digit, _) if run_length.is_multiple_of(3) => 125,
            (Self::Digit, _) => 0,
            (Self::Sign, 0) => 80,
            (Self::Sign, _) => 25,
            (Self::Greek, _) => 48,
            (Self::Semitic, _) => 86,
            (Self::WideSign, _) => 20,
            (Self::Wide, _) => 118,
            (Self::Beyond, _) => 250,
        }
    }
}

/// Accented letters split a word into more tokens.
fn accent_price(kind: Kind, character: char) -> u64 {
    match kind {
        Kind::Latin if !character.is_ascii() => 180,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(unit: Unit, text: impl Iterator<Item = char>) -> u64 {
        let mut meter = Meter::new(unit);
        text.for_each(|character| meter.add(character));
        meter.used
    }

    #[test]
    fn characters_are_scalar_values() {
        assert_eq!(used(Unit::Characters, "aé👩‍🚀".chars()), 5 * ONE);
    }

    #[test]
    fn a_text_measures_the_same_in_both_directions() {
        let text = "In 2024, GROẞ: 12345 Wörter, naïveté — 日本語のテキスト。 Привет\n\n  مرحبا 👍🏽!";
        assert_eq!(used(Unit::Tokens, text.chars()), used(Unit::Tokens, text.chars().rev()));
    }

    #[test]
    fn a_limit_includes_its_last_unit() {
        let mut meter = Meter::new(Unit::Characters);
        meter.add('a');
        meter.add('b');
        assert!(meter.fits(2));
        meter.add('c');
        assert!(!meter.fits(2));
    }
}
