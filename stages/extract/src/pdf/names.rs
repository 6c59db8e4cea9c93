//! Private glyph names that still say which character they stand for, as programs write them that draw their own fonts:
//! "C41", "a233", "B1765".

use encoding_rs::{Encoding, MACINTOSH, WINDOWS_1252};
use hayro_syntax::object::dict::keys::{DIFFERENCES, ENCODING};
use hayro_syntax::object::{Array, Dict, Name, Object};

/// The least share of names that must follow a pattern, in percent.
const MOST: usize = 80;
/// Prefixes of names that number the glyphs of a font, whatever they stand for.
const NUMBERED: [&str; 6] = ["g", "glyph", "gid", "cid", "index", "glyf"];

/// How the glyph names of a font relate to its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    /// They repeat the code, and so the code is the character.
    Code,
    /// They are the character, in hexadecimal digits.
    Hexadecimal,
    /// They say nothing.
    Unknown,
}

/// The glyph names of a font.
#[derive(Debug)]
pub(super) struct Names {
    pattern: Pattern,
    names: Vec<(u8, String)>,
}

impl Names {
    /// The names that the encoding of a font gives to codes.
    pub(super) fn of_font(dict: &Dict<'_>) -> Self {
        let encoding = dict.get::<Dict<'_>>(ENCODING);
        let differences = encoding.and_then(|encoding| encoding.get::<Array<'_>>(DIFFERENCES));
        let mut names = Vec::new();
        let mut code = 0_i64;
        for entry in differences.iter().flat_map(|list| list.iter::<Object<'_>>()) {
            match entry {
                Object::Number(number) => code = number.as_i64(),
                Object::Name(name) => {
                    names.extend(u8::try_from(code).ok().map(|code| (code, name_text(&name))));
                    code = code.saturating_add(1);
                }
                _ => {}
            }
        }
        names.truncate(usize::from(u8::MAX) + 1);
        Self { pattern: pattern(&names), names }
    }

    /// Whether no code has a name.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The characters that the name of a code stands for.
    pub(super) fn letters(&self, code: u8) -> Option<String> {
        let name = &self.names.iter().rev().find(|(named, _)| *named == code)?.1;
        match self.pattern {
            Pattern::Unknown => None,
            Pattern::Hexadecimal => windows(hexadecimal(name)?),
            Pattern::Code => tex_ligature(code).map(str::to_owned).or_else(|| windows(code)),
        }
    }
}

fn name_text(name: &Name<'_>) -> String {
    String::from_utf8_lossy(name.as_ref()).into_owned()
}

fn pattern(names: &[(u8, String)]) -> Pattern {
    let private: Vec<&(u8, String)> = names.iter().filter(|(_, name)| is_private(name)).collect();
    let most = |follows: &dyn Fn(u8, &str) -> bool| {
        let number = private.iter().filter(|(code, name)| follows(*code, name)).count();
        number > 0 && number * 100 >= private.len() * MOST
    };
    if most(&|code, name| code >= 10 && name.ends_with(&code.to_string()))
        || most(&|code, name| name.get(1..).and_then(last_digits) == Some(code))
    {
        Pattern::Code
    } else if most(&|_, name| name.starts_with('G') && hexadecimal(name).is_some_and(is_printed)) {
        Pattern::Hexadecimal
    } else {
        Pattern::Unknown
    }
}

/// Whether a name has a letter or more before its digits, and does not just number glyphs.
fn is_private(name: &str) -> bool {
    let prefix = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let is_numbered = NUMBERED.contains(&prefix.to_ascii_lowercase().as_str()) && !name.starts_with('G');
    name.chars().any(|letter| letter.is_ascii_digit()) && !is_numbered
}

/// The number that a name is, in two hexadecimal digits after its prefix.
fn hexadecimal(name: &str) -> Option<u8> {
    name.get(1..).filter(|digits| digits.len() == 2).and_then(last_digits)
}

/// The number that the last two characters are in hexadecimal digits.
fn last_digits(name: &str) -> Option<u8> {
    let digits = name.get(name.len().checked_sub(2)?..)?;
    u8::from_str_radix(digits, 16).ok()
}

fn is_printed(code: u8) -> bool {
    matches!(code, 0x20..=0x7E | 0xA1..=0xFF)
}

/// The ligatures of TeX's text fonts, where other encodings have control characters.
fn tex_ligature(code: u8) -> Option<&'static str> {
    Some(match code {
        11 => "ff",
        12 => "fi",
        13 => "fl",
        14 => "ffi",
        15 => "ffl",
        _ => return None,
    })
}

/// The character of a code in Windows' Latin encoding, which most files use.
pub(super) fn windows(code: u8) -> Option<String> {
    letter(WINDOWS_1252, code)
}

/// The character of a code in the Macintosh's Latin encoding.
pub(super) fn macintosh(code: u8) -> Option<String> {
    letter(MACINTOSH, code)
}

fn letter(encoding: &'static Encoding, code: u8) -> Option<String> {
    let bytes = [code];
    let (text, _) = encoding.decode_without_bom_handling(&bytes);
    (!text.chars().any(char::is_control)).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(names: &[(u8, &str)]) -> Vec<Option<String>> {
        let list: Vec<(u8, String)> = names.iter().map(|(code, name)| (*code, (*name).to_owned())).collect();
        let names = Names { pattern: pattern(&list), names: list };
        names.names.iter().map(|(code, _)| names.letters(*code)).collect()
    }

    #[test]
    fn names_that_repeat_their_code_say_the_character() {
        assert_eq!(letters(&[(65, "a65"), (233, "a233"), (12, "a12")]), ["A", "é", "fi"].map(|l| Some(l.to_owned())));
        assert_eq!(letters(&[(32, "C20"), (0x6E, "C6e")]), [" ", "n"].map(|l| Some(l.to_owned())));
        assert_eq!(letters(&[(0x48, "x0048"), (0x6A, "x006A")]), ["H", "j"].map(|l| Some(l.to_owned())));
        assert_eq!(letters(&[(45, "B1345"), (105, "B1105")]), ["-", "i"].map(|l| Some(l.to_owned())));
    }

    #[test]
    fn names_can_be_the_character_in_hexadecimal_digits() {
        assert_eq!(letters(&[(1, "G41"), (2, "G62")]), ["A", "b"].map(|l| Some(l.to_owned())));
    }

    #[test]
    fn names_that_number_glyphs_say_nothing() {
        assert_eq!(letters(&[(1, "g36"), (2, "g37")]), [None, None]);
        assert_eq!(letters(&[(33, "g33"), (34, "g34")]), [None, None]);
        assert_eq!(letters(&[(33, "Alpha1"), (34, "Alpha7")]), [None, None]);
    }
}
