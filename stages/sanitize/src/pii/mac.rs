//! Hardware addresses: six pairs of hexadecimal digits separated by ":" or "-", or three groups of four by ".".

use super::boundary::is_word;

/// The end of the address that begins at `at`.
pub(super) fn end(text: &str, at: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[at..];
    let separator = match (bytes.get(2), bytes.get(4)) {
        (Some(separator @ (b':' | b'-')), _) => *separator,
        (_, Some(b'.')) => b'.',
        _ => return None,
    };
    let group = if separator == b'.' { 4 } else { 2 };
    let length = if separator == b'.' { 14 } else { 17 };
    let address = bytes.get(..length)?;
    for (place, byte) in address.iter().enumerate() {
        let fits = match place % (group + 1) == group {
            true => *byte == separator,
            false => byte.is_ascii_hexdigit(),
        };
        if !fits {
            return None;
        }
    }
    // Groups of decimal digits only are dates or order numbers, unless the separator is a colon.
    let is_distinctive = separator == b':' || address.iter().any(u8::is_ascii_alphabetic);
    let separator = char::from(separator);
    let opens = !continues(text[..at].chars().rev(), separator);
    let closes = !continues(text[at + length..].chars(), separator);
    (is_distinctive && opens && closes).then_some(at + length)
}

/// Whether a word continues here, or a longer sequence of groups such as a fingerprint.
fn continues(mut chars: impl Iterator<Item = char>, separator: char) -> bool {
    match chars.next() {
        Some(c) if c == separator => chars.next().is_some_and(is_word),
        Some(c) => is_word(c),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_notations_are_found() {
        for text in ["00:1A:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "00:11:22:33:44:55"] {
            assert_eq!(end(text, 0), Some(text.len()), "{text}");
            assert_eq!(end(&format!("{text}. "), 0), Some(text.len()), "{text}");
        }
    }

    #[test]
    fn longer_shorter_and_purely_decimal_sequences_are_not_found() {
        for text in [
            "00:1a:2b:3c:4d",
            "00:1a:2b:3c:4d:5e:6f",
            "00:1a:2b:3c:4d:5g",
            "00:1a-2b:3c:4d:5e",
            "00:1a:2b:3c:4d:5e7",
            "20-24-01-02-10-30",
            "1234.5678.9012",
            "12:30",
        ] {
            assert_eq!(end(text, 0), None, "{text}");
        }
        assert_eq!(end("ff:00:1a:2b:3c:4d:5e", 3), None);
    }
}
