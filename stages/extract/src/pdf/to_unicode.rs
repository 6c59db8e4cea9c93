//! ToUnicode tables, read leniently: what cannot be understood is passed over, not the whole table.
//!
//! Producers write names that are not names, counts that do not count, and entries that break off. Only the operators
//! that say which character a code stands for matter here.

use std::collections::HashMap;

use hayro_cmap::{BfString, CMap, CMapName, load_embedded};
use hayro_syntax::object::dict::keys::TO_UNICODE;
use hayro_syntax::object::{Dict, Name, Object};

/// The maximum number of codes of a table.
const MOST_CODES: usize = 1 << 16;
/// How many ranges that start before a code are tried: ranges hardly ever overlap.
const MOST_OVERLAPS: usize = 4;

/// Which characters the codes of a font stand for.
pub(super) enum ToUnicode {
    Listed(Table),
    /// A CMap of the standard set, by its name.
    Named(CMap),
    /// Each code is its character.
    Identity,
}

/// The entries of a table.
#[derive(Debug, Default)]
pub(super) struct Table {
    single: HashMap<u32, String>,
    /// Sorted by the first code.
    ranges: Vec<Range>,
    /// A CMap of the standard set that holds what is not listed.
    base: Option<CMap>,
}

#[derive(Debug)]
struct Range {
    first: u32,
    last: u32,
    /// The characters of the first code; the last of them counts up.
    letters: String,
}

impl ToUnicode {
    /// The table of a font, if it has one.
    pub(super) fn of_font(dict: &Dict<'_>) -> Option<Self> {
        match dict.get::<Object<'_>>(TO_UNICODE)? {
            Object::Stream(stream) => {
                let data = stream.decoded_data().ok()?;
                let table = Table::parse(&data);
                let named = || named(stream.dict().get::<Name<'_>>(b"UseCMap")?.as_ref());
                match table.is_empty() {
                    true => named(),
                    false => Some(Self::Listed(table)),
                }
            }
            Object::Name(name) => named(name.as_ref()),
            _ => None,
        }
    }

    /// The characters of a code; `None` if there are none, or none that could be text.
    pub(super) fn letters(&self, code: u32) -> Option<String> {
        let letters = match self {
            Self::Listed(table) => table.letters(code)?,
            Self::Named(map) => mapped(map, code)?,
            Self::Identity => char::from_u32(code)?.to_string(),
        };
        // A glyph that stands for a line break or for nothing was never mapped in earnest.
        let is_text = |letter: char| letter != char::REPLACEMENT_CHARACTER && (!letter.is_control() || letter == '\t');
        (!letters.is_empty() && letters.chars().all(is_text)).then_some(letters)
    }
}

fn named(name: &[u8]) -> Option<ToUnicode> {
    match CMapName::from_bytes(name) {
        CMapName::IdentityH | CMapName::IdentityV => Some(ToUnicode::Identity),
        name => CMap::parse(load_embedded(name)?, load_embedded).map(ToUnicode::Named),
    }
}

fn mapped(map: &CMap, code: u32) -> Option<String> {
    match map.lookup_bf_string(code)? {
        BfString::Char(letter) => Some(letter.to_string()),
        BfString::String(letters) => Some(letters),
    }
}

impl Table {
    fn is_empty(&self) -> bool {
        self.single.is_empty() && self.ranges.is_empty() && self.base.is_none()
    }

    fn letters(&self, code: u32) -> Option<String> {
        if let Some(letters) = self.single.get(&code) {
            return Some(letters.clone());
        }
        let end = self.ranges.partition_point(|range| range.first <= code);
        let listed = self.ranges[..end].iter().rev().take(MOST_OVERLAPS).find(|range| code <= range.last);
        let Some(range) = listed else { return mapped(self.base.as_ref()?, code) };
        let mut letters = range.letters.clone();
        let last = letters.pop()?;
        letters.push(char::from_u32(u32::from(last).checked_add(code - range.first)?)?);
        Some(letters)
    }

    /// Reads the entries of a table.
    fn parse(data: &[u8]) -> Self {
        let mut table = Self::default();
        let mut tokens = Tokens { data };
        let mut name: &[u8] = &[];
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(b"beginbfchar" | b"begincidchar") => table.chars(&mut tokens),
                Token::Word(b"beginbfrange" | b"begincidrange") => table.ranges(&mut tokens),
                Token::Word(b"usecmap") => {
                    let map = load_embedded(CMapName::from_bytes(name));
                    table.base = map.and_then(|map| CMap::parse(map, load_embedded));
                }
                Token::Name(found) => name = found,
                _ => {}
            }
        }
        table.ranges.sort_by_key(|range| range.first);
        table
    }

    fn chars(&mut self, tokens: &mut Tokens<'_>) {
        while let Some(Token::Text(code)) = tokens.next() {
            match tokens.next() {
                Some(Token::Text(letters)) => self.add(number(&code), &letters),
                // A glyph name, which the encoding of the font says better.
                Some(Token::Name(_)) => {}
                // Some tables give the character as a number, as tables of glyphs do.
                Some(Token::Word(word)) => match decimal(word) {
                    Some(letter) => self.add(number(&code), &letter),
                    None => return,
                },
                _ => return,
            }
        }
    }

    fn ranges(&mut self, tokens: &mut Tokens<'_>) {
        while let Some(Token::Text(first)) = tokens.next() {
            let Some(Token::Text(last)) = tokens.next() else { return };
            let (first, last) = (number(&first), number(&last));
            match tokens.next() {
                Some(Token::Text(letters)) => self.add_range(first, last, &letters),
                Some(Token::Word(word)) => match decimal(word) {
                    Some(letter) => self.add_range(first, last, &letter),
                    None => return,
                },
                Some(Token::Open) => {
                    let mut code = first;
                    loop {
                        match tokens.next() {
                            Some(Token::Text(letters)) => self.add(code, &letters),
                            Some(Token::Close) => break,
                            _ => return,
                        }
                        code = code.saturating_add(1);
                    }
                }
                _ => return,
            }
        }
    }

    fn add_range(&mut self, first: u32, last: u32, letters: &[u8]) {
        let letters = utf16(letters);
        if last >= first && !letters.is_empty() && self.ranges.len() < MOST_CODES {
            self.ranges.push(Range { first, last, letters });
        }
    }

    fn add(&mut self, code: u32, letters: &[u8]) {
        if self.single.len() < MOST_CODES {
            self.single.insert(code, utf16(letters));
        }
    }
}

/// The code that these bytes spell; more than four are not a code, and their last ones count.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The character with this number, in UTF-16.
fn decimal(word: &[u8]) -> Option<[u8; 2]> {
    let number = std::str::from_utf8(word).ok()?.parse::<u16>().ok()?;
    Some(number.to_be_bytes())
}

/// The characters that these bytes spell in UTF-16; one byte alone is a character too.
fn utf16(bytes: &[u8]) -> String {
    let (odd, pairs) = bytes.split_at(bytes.len() % 2);
    let odd = odd.iter().map(|byte| u16::from(*byte));
    let units = odd.chain(pairs.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

enum Token<'a> {
    /// A string in hexadecimal digits or in parentheses.
    Text(Vec<u8>),
    Word(&'a [u8]),
    Name(&'a [u8]),
    Open,
    Close,
}

/// Cuts the data into tokens.
struct Tokens<'a> {
    data: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, rest) = self.data.split_first()?;
            match first {
                b'%' => self.data = rest.get(line(rest)..).unwrap_or_default(),
                b'<' if rest.first() == Some(&b'<') => self.data = &rest[1..],
                b'<' => return Some(Token::Text(self.hexadecimal(rest))),
                b'(' => return Some(Token::Text(self.literal(rest))),
                b'[' | b']' => {
                    self.data = rest;
                    return Some(if *first == b'[' { Token::Open } else { Token::Close });
                }
                b'/' => {
                    let (name, rest) = rest.split_at(word(rest));
                    self.data = rest;
                    return Some(Token::Name(name));
                }
                _ if is_delimiter(*first) => self.data = rest,
                _ => {
                    let (found, rest) = self.data.split_at(word(self.data));
                    self.data = rest;
                    return Some(Token::Word(found));
                }
            }
        }
    }

    fn hexadecimal(&mut self, rest: &'a [u8]) -> Vec<u8> {
        let end = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
        self.data = rest.get(end + 1..).unwrap_or_default();
        let digits: Vec<u8> = rest[..end].iter().filter_map(|byte| digit(*byte)).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
    }

    /// A string in parentheses. Those in it are in pairs or escaped; if they are not, the first one ends it.
    fn literal(&mut self, rest: &'a [u8]) -> Vec<u8> {
        let (mut bytes, mut depth, mut behind) = (Vec::new(), 1_usize, rest);
        while let Some((byte, after)) = behind.split_first() {
            behind = after;
            match byte {
                b'\\' => bytes.extend(escaped(&mut behind)),
                b')' if depth == 1 => {
                    self.data = behind;
                    return bytes;
                }
                _ => {
                    depth = depth + usize::from(*byte == b'(') - usize::from(*byte == b')');
                    bytes.push(*byte);
                }
            }
        }
        let end = rest.iter().position(|byte| *byte == b')').unwrap_or(rest.len());
        self.data = rest.get(end + 1..).unwrap_or_default();
        rest[..end].to_vec()
    }
}

/// The byte that what is behind a backslash stands for; none for a line break.
fn escaped(behind: &mut &[u8]) -> Option<u8> {
    let octal = behind.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (written, after) = behind.split_at(octal.max(1).min(behind.len()));
    *behind = after;
    match *written.first()? {
        b'0'..=b'7' => Some(written.iter().fold(0, |code, digit| code << 3 | (digit - b'0'))),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'b' => Some(8),
        b'f' => Some(12),
        b'\n' => None,
        b'\r' => {
            *behind = behind.strip_prefix(b"\n").unwrap_or(behind);
            None
        }
        other => Some(other),
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, 0 | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'/' | b'{' | b'}' | b'%')
}

fn word(data: &[u8]) -> usize {
    data.iter().position(|byte| is_delimiter(*byte)).unwrap_or(data.len())
}

fn line(data: &[u8]) -> usize {
    data.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(data.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(table: &str, codes: &[u32]) -> Vec<Option<String>> {
        let table = ToUnicode::Listed(Table::parse(table.as_bytes()));
        codes.iter().map(|code| table.letters(*code)).collect()
    }

    fn some(letters: &[&str]) -> Vec<Option<String>> {
        letters.iter().map(|letter| Some((*letter).to_owned())).collect()
    }

    #[test]
    fn characters_ranges_and_lists_are_read() {
        let table = "1 beginbfchar <01> <0046> endbfchar 2 beginbfrange <0010> <0013> <0061> \
                     <20> <21> [<0078><00660066>] endbfrange";
        assert_eq!(letters(table, &[1, 0x12, 0x20, 0x21]), some(&["F", "c", "x", "ff"]));
        assert_eq!(letters(table, &[2, 0x14]), [None, None]);
    }

    #[test]
    fn codes_and_characters_may_be_strings_in_parentheses() {
        let table = r"beginbfchar (\001) (\000A) (\)) <0042> (a\(b) (c) (()) (\000D) endbfchar";
        assert_eq!(letters(table, &[1, 0x29, 0x61_28_62, 0x28_29]), some(&["A", "B", "c", "D"]));
        assert_eq!(letters("(( ) beginbfchar (\\5) <0045> (", &[5]), some(&["E"]));
    }

    #[test]
    fn names_that_are_no_names_and_broken_entries_do_not_spoil_the_rest() {
        let table = "/CMapName /Adobe-Identity-UC> def << /Ordering (UC>) >> beginbfchar <1> <41> <02> /space \
                     <03> <0043> endbfchar beginbfrange <05> <06> endbfrange beginbfchar <07> <0047>";
        assert_eq!(letters(table, &[0x10, 3, 7]), some(&["A", "C", "G"]));
    }

    #[test]
    fn characters_may_be_numbers_or_come_from_another_table() {
        let table = "/Adobe-Japan1-UCS2 usecmap begincidrange <01> <03> 65 endcidrange begincidchar <09> 97 endcidchar";
        assert_eq!(letters(table, &[2, 9, 843]), some(&["B", "a", "あ"]));
    }

    #[test]
    fn codes_that_stand_for_no_text_are_not_mapped() {
        assert_eq!(
            letters("beginbfchar <01> <000D> <02> <0000> <03> <FFFD> <04> <>", &[1, 2, 3, 4]),
            [None, None, None, None]
        );
    }
}
