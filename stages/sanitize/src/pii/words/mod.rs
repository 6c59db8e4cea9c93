//! The words that say what a value is, in the languages they are met in.

mod kinds;
mod lists;

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

pub(crate) use kinds::Label;
use lists::{ENDING_FILLERS, ENDINGS, FILLERS, LISTS, PHRASES};

/// What is known of a word.
#[derive(Debug, Default)]
struct Entry {
    label: Option<Label>,
    /// Says nothing itself, so the word before it counts.
    filler: bool,
    /// Words that say something with this one behind them.
    phrases: Vec<(String, Label)>,
}

/// A hash for short words (FNV-1a). The table is fixed, so nobody can choose words that collide in it.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Every word. A constant that is only too long to write down sorted.
static WORDS: LazyLock<HashMap<String, Entry, BuildHasherDefault<Fnv>>> = LazyLock::new(|| {
    let mut all: HashMap<String, Entry, BuildHasherDefault<Fnv>> = HashMap::default();
    for (words, label) in LISTS {
        for word in words.split_ascii_whitespace() {
            all.entry(normal(word).into_owned()).or_default().label.get_or_insert(label);
        }
    }
    for word in FILLERS.split_ascii_whitespace() {
        all.entry(normal(word).into_owned()).or_default().filler = true;
    }
    for (phrases, label) in PHRASES {
        for (first, second) in phrases {
            all.entry(normal(second).into_owned()).or_default().phrases.push((normal(first).into_owned(), label));
        }
    }
    all
});

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Label(Label),
    Filler,
    Unknown,
}

/// What a word says, as [`normal`] spells it; `before` is the word before it, if that is needed.
pub(super) fn meaning<'t>(word: &str, before: impl FnOnce() -> Cow<'t, str>) -> Meaning {
    let Some(entry) = WORDS.get(word) else {
        return ending(word).map_or(Meaning::Unknown, Meaning::Label);
    };
    if !entry.phrases.is_empty() {
        let before = before();
        if let Some((_, label)) = entry.phrases.iter().find(|(first, _)| *first == before) {
            return Meaning::Label(*label);
        }
    }
    match entry.label {
        Some(label) => Meaning::Label(label),
        None if entry.filler => Meaning::Filler,
        None => Meaning::Unknown,
    }
}

/// The label at the end of a word of a script without spaces.
fn ending(word: &str) -> Option<Label> {
    if word.is_ascii() {
        return None;
    }
    let list = |word: &str| ENDINGS.iter().find(|(endings, _)| endings.iter().any(|ending| word.ends_with(ending)));
    if let Some((_, label)) = list(word) {
        return Some(*label);
    }
    let mut word = word;
    while let Some(rest) = ENDING_FILLERS.iter().find_map(|filler| word.strip_suffix(filler)) {
        word = rest;
    }
    list(word).map(|(_, label)| *label)
}

/// Whether a character is part of a word, combining marks included.
pub(super) fn is_letter_or_digit(c: char) -> bool {
    c.is_ascii_alphanumeric() || (!c.is_ascii() && (c.is_alphanumeric() || is_mark(c)))
}

/// The marks that stand on letters: of Latin and Cyrillic, Hebrew, Arabic, and the scripts of India and Thailand.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{981}'..='\u{983}' | '\u{9bc}'..='\u{9cd}' | '\u{a3c}'..='\u{a4d}'
        | '\u{abc}'..='\u{acd}' | '\u{b3c}'..='\u{b4d}' | '\u{bbe}'..='\u{bcd}' | '\u{c3e}'..='\u{c4d}' | '\u{cbc}'..='\u{ccd}'
        | '\u{d3b}'..='\u{d4d}' | '\u{dca}'..='\u{ddf}' | '\u{e31}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{fe20}'..='\u{fe2f}')
}

/// A word in lower case and without accents.
pub(crate) fn normal(word: &str) -> Cow<'_, str> {
    if word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(word);
    }
    let mut normal = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            'a'..='z' | '0'..='9' => normal.push(c),
            'A'..='Z' => normal.push(c.to_ascii_lowercase()),
            '\u{300}'..='\u{36f}' => {}
            _ => c.to_lowercase().for_each(|c| match without_accent(c) {
                'ß' => normal.push_str("ss"),
                '\u{300}'..='\u{36f}' => {}
                c => normal.push(c),
            }),
        }
    }
    Cow::Owned(normal)
}

fn without_accent(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ả' | 'ạ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'ệ' | 'ế' | 'ề' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'į' | 'ı' | 'ỉ' | 'ị' => 'i',
        'ķ' => 'k',
        'ł' | 'ľ' | 'ļ' => 'l',
        'ñ' | 'ń' | 'ň' | 'ņ' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' | 'ọ' | 'ộ' | 'ố' | 'ơ' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ş' | 'ș' => 's',
        'ť' | 'ţ' | 'ț' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' | 'ư' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' => 'ι',
        'ό' => 'ο',
        'ύ' => 'υ',
        'ώ' => 'ω',
        'й' => 'и',
        'ё' => 'е',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_word_are_one() {
        assert_eq!(normal("Téléphone"), "telephone");
        assert_eq!(normal("Te\u{301}le\u{301}phone"), "telephone");
        assert_eq!(normal("МОБИЛЬНЫЙ"), normal("мобильныи\u{306}"));
        assert_eq!(normal("Τηλέφωνο"), "τηλεφωνο");
    }

    #[test]
    fn a_phrase_says_more_than_its_words() {
        assert_eq!(meaning("number", || "contact".into()), Meaning::Label(Label::Phone));
        assert_eq!(meaning("number", Cow::default), Meaning::Filler);
        assert_eq!(meaning("我的手机号码", Cow::default), Meaning::Label(Label::Phone));
        assert_eq!(meaning("电视", Cow::default), Meaning::Unknown);
    }
}
