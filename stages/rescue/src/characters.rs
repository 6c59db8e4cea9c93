//! Bytes that are not UTF-8, and characters that no text needs.

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The bytes as text; `None` if it cannot be told what they are.
///
/// They are UTF-8, UTF-16 if they begin with its byte order mark, or else Windows-1252, of which ISO 8859-1 is a part: the
/// guess that browsers make. It is not made where some of the bytes are UTF-8 beyond ASCII, where a byte stands for
/// nothing in Windows-1252, or where control characters say that it is no text.
pub(crate) fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.into());
    }
    for (mark, encoding) in [([0xff, 0xfe], UTF_16LE), ([0xfe, 0xff], UTF_16BE)] {
        if let Some(text) = bytes.strip_prefix(&mark) {
            return encoding.decode_without_bom_handling_and_without_replacement(text);
        }
    }
    let is_mixed = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    let is_text = |byte: &u8| match byte {
        0x00..0x20 => matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c),
        0x7f | 0x81 | 0x8d | 0x8f | 0x90 | 0x9d => false,
        _ => true,
    };
    if is_mixed || !bytes.iter().all(is_text) {
        return None;
    }
    WINDOWS_1252.decode_without_bom_handling_and_without_replacement(bytes)
}

/// The text without control characters and noncharacters; `None` if it has none. Those that end a line or a page become
/// line breaks.
pub(crate) fn cleaned(text: &str) -> Option<String> {
    text.contains(|c: char| clean(c) != Some(c)).then(|| text.chars().filter_map(clean).collect())
}

fn clean(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' => Some(c),
        '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        // A byte order mark, and what only programs use between themselves.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' => None,
        c if c.is_control() || u32::from(c) & 0xfffe == 0xfffe => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text_only_if_it_is_clear_what_they_are() {
        let cases: [(&[u8], Option<&str>); 8] = [
            (b"caf\xc3\xa9", Some("café")),
            (b"caf\xe9 \x80", Some("café €")),
            (b"\xff\xfec\x00\xe9\x00", Some("cé")),
            (b"\xfe\xff\x00c\x00\xe9", Some("cé")),
            (b"caf\xe9 caf\xc3\xa9", None),
            (b"\xff\xfe\x00\xd8", None),
            (b"\x89PNG\r\n\x1a\n\x00", None),
            (b"a\x9db", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decoded(bytes).as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_no_text_needs_goes_and_the_rest_stays() {
        assert_eq!(cleaned("a\tb\r\né 👩\u{200d}👩 \u{fffd}"), None);
        assert_eq!(cleaned("\u{feff}a\0b\u{1b}[1mc\u{c}d\u{2028}e\u{fffe}").as_deref(), Some("ab[1mc\nd\ne"));
    }
}
