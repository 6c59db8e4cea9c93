//! Hardware addresses: six pairs of hexadecimal digits separated by ":" or "-", three groups of four by ".", and, after
//! a word such as "MAC", other notations.

use super::boundary::is_word;
use super::words::Label;

/// The end of the address that begins at `at`.
pub(super) fn end(text: &str, at: usize, label: impl Fn() -> Option<Label>) -> Option<usize> {
    let bytes = &text.as_bytes()[at..];
    let run = bytes.iter().take(13).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let separator = bytes.get(run).copied().unwrap_or(b' ');
    let (length, distinctive) = match (run, separator) {
        (1 | 2, b':') => {
            let length = pairs_length(bytes);
            // `1:2:3:4:5:6` is a ratio, not an address.
            let has_letter = bytes[..length].iter().any(u8::is_ascii_alphabetic);
            (length, has_letter || length == 17)
        }
        (2, b'-') => (spaced_length(bytes, 2, 6)?, has_letter_before(bytes, 17)),
        (4, b'.') => (spaced_length(bytes, 4, 3)?, has_letter_before(bytes, 14)),
        (4, b'-') => (spaced_length(bytes, 4, 3)?, false),
        (6, b'-' | b':') => (spaced_length(bytes, 6, 2)?, false),
        (2, b' ' | b'.') => (spaced_length(bytes, 2, 6)?, false),
        (12, _) => (12, false),
        _ => return None,
    };
    if length == 0 || !(distinctive || label() == Some(Label::Mac)) {
        return None;
    }
    let separator = char::from(separator);
    // `eth0_00:1a:2b:3c:4d:5e`: with colons, no word goes on after a "_".
    let named = separator == ':' && text[..at].ends_with('_');
    let opens = named || !continues(text[..at].chars().rev(), separator);
    if !opens {
        return None;
    }
    if !continues(text[at + length..].chars(), separator) {
        return Some(at + length);
    }
    // A log of packets writes both addresses and the protocol in one row.
    let row = at + pairs_length_of(bytes, 14);
    let in_row =
        separator == ':' && row > at && label() == Some(Label::Mac) && !continues(text[row..].chars(), separator);
    in_row.then_some(row)
}

/// The length of six groups of one or two digits with colons; 0 if there are not so many.
fn pairs_length(bytes: &[u8]) -> usize {
    pairs_length_of(bytes, 6)
}

fn pairs_length_of(bytes: &[u8], groups: usize) -> usize {
    let mut at = 0;
    for group in 0..groups {
        let digits = bytes[at..].iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
        at += digits;
        let is_last = group + 1 == groups;
        if digits == 0 || (!is_last && bytes.get(at) != Some(&b':')) {
            return 0;
        }
        at += usize::from(!is_last);
    }
    at
}

/// The length of groups of the same size with the same separator.
fn spaced_length(bytes: &[u8], size: usize, groups: usize) -> Option<usize> {
    let length = groups * (size + 1) - 1;
    let address = bytes.get(..length)?;
    let separator = address[size];
    let fits = address.iter().enumerate().all(|(place, byte)| match place % (size + 1) == size {
        true => *byte == separator,
        false => byte.is_ascii_hexdigit(),
    });
    fits.then_some(length)
}

/// Groups of decimal digits only are dates or order numbers.
fn has_letter_before(bytes: &[u8], length: usize) -> bool {
    bytes.iter().take(length).any(u8::is_ascii_alphabetic)
}

/// Whether a word continues here, or a longer sequence of groups such as a fingerprint.
fn continues(mut chars: impl Iterator<Item = char>, separator: char) -> bool {
    match chars.next() {
        Some(c) if c == separator && c != ' ' => chars.next().is_some_and(|c| c.is_ascii_hexdigit()),
        Some(c) => is_word(c),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::label;
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find(": ").map_or(0, |colon| colon + 2);
        let label = || label::before(text, at).map(|found| found.label);
        end(text, at, label).map(|end| &text[at..end])
    }

    #[test]
    fn the_three_notations_are_found() {
        for text in ["00:1A:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "00:11:22:33:44:55", "0:0:5e:0:53:af"]
        {
            assert_eq!(found(text), Some(text));
            assert_eq!(found(&format!("{text}. ")), Some(text));
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
            "1:2:3:4:5:6",
            "001a2b3c4d5e",
            "001a-2b3c-4d5e",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(end("ff:00:1a:2b:3c:4d:5e", 3, || None), None);
        assert_eq!(end("eth0_00:1a:2b:3c:4d:5e", 5, || None), Some(22));
    }

    #[test]
    fn other_notations_must_be_announced() {
        for address in ["00005E0053AF", "001a-2b3c-4d5e", "001a2b-3c4d5e", "00 1a 2b 3c 4d 5e"] {
            assert_eq!(found(&format!("MAC: {address}")), Some(address));
        }
        let row = "00:00:5e:00:53:af:00:00:5e:00:53:01:08:00";
        let text = format!("MAC={row} SRC=");
        assert_eq!(end(&text, 4, || Some(Label::Mac)), Some(4 + row.len()));
    }
}
