//! Text strings outside of content streams: titles and replacement texts.

/// PDFDocEncoding from 0x80 to 0xA0, where Latin-1 has control characters.
const PDF_DOC: [char; 33] = [
    '•',
    '†',
    '‡',
    '…',
    '—',
    '–',
    'ƒ',
    '⁄',
    '‹',
    '›',
    '−',
    '‰',
    '„',
    '“',
    '”',
    '‘',
    '’',
    '‚',
    '™',
    'ﬁ',
    'ﬂ',
    'Ł',
    'Œ',
    'Š',
    'Ÿ',
    'Ž',
    'ı',
    'ł',
    'œ',
    'š',
    'ž',
    char::REPLACEMENT_CHARACTER,
    '€',
];

/// Decodes a text string: UTF-16 or UTF-8 by its byte order mark, otherwise PDFDocEncoding.
pub(super) fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xFE, 0xFF, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        [0xFF, 0xFE, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|byte| pdf_doc(*byte)).collect(),
    }
}

fn pdf_doc(byte: u8) -> char {
    let special = usize::from(byte).checked_sub(0x80).and_then(|index| PDF_DOC.get(index));
    special.copied().unwrap_or(char::from(byte))
}

/// The title on one line; `None` for the placeholders that programs write if they have no title.
pub(super) fn title(bytes: &[u8]) -> Option<String> {
    let text = decode(bytes);
    let title =
        text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty());
    let title = title.collect::<Vec<_>>().join(" ");
    (!title.is_empty() && !["untitled", "(anonymous)"].contains(&title.to_lowercase().as_str())).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_decoded_by_their_byte_order_mark() {
        assert_eq!(title(b"\xFE\xFF\0V\0e\0r\0t\0r\0a\0g\x20\xAC").as_deref(), Some("Vertrag€"));
        assert_eq!(title(b"\xEF\xBB\xBFcaf\xC3\xA9").as_deref(), Some("café"));
        assert_eq!(title(b" caf\xE9\r\nbar\0 \x85 \xA0").as_deref(), Some("café bar – €"));
    }

    #[test]
    fn placeholders_are_not_titles() {
        assert_eq!(title(b"untitled"), None);
        assert_eq!(title(b"\xFE\xFF"), None);
    }
}
