//! International bank account numbers: country, length for that country and check digits (modulo 97) must be valid.

use super::boundary::is_word;

/// Length by country, from the SWIFT registry.
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The end of the number that begins at `at`: no space within the first four characters, single spaces or dashes later.
pub(super) fn end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let [a, b, c, d, ..] = bytes[at..] else { return None };
    if !(c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let index = LENGTHS.binary_search_by_key(&&country, |(country, _)| country).ok()?;
    let (_, length) = LENGTHS[index];
    // Only a word directly before the number rules it out: the check digits are evidence enough.
    if text[..at].ends_with(is_word) {
        return None;
    }
    // The check is computed over the number with its first four characters moved to the end.
    let (remainder, end) = check(text, at + 4, length - 4, 0)?;
    let (remainder, _) = check(text, at, 4, remainder)?;
    (remainder == 1 && !text[end..].starts_with(is_word)).then_some(end)
}

/// Continues the remainder over `count` characters; returns it with the end of the last one.
fn check(text: &str, start: usize, count: usize, remainder: u32) -> Option<(u32, usize)> {
    let mut remainder = remainder;
    let mut at = start;
    for _ in 0..count {
        at += separator_length(&text[at..]);
        let byte = *text.as_bytes().get(at)?;
        remainder = match byte {
            b'0'..=b'9' => 10 * remainder + u32::from(byte - b'0'),
            b'a'..=b'z' => 100 * remainder + 10 + u32::from(byte - b'a'),
            b'A'..=b'Z' => 100 * remainder + 10 + u32::from(byte - b'A'),
            _ => return None,
        } % 97;
        at += 1;
    }
    Some((remainder, at))
}

fn separator_length(rest: &str) -> usize {
    match rest.chars().next() {
        Some(c @ (' ' | '-' | '\u{a0}' | '\u{202f}')) => c.len_utf8(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        end(text, 0).map(|end| &text[..end])
    }

    /// Examples from the registry, one per length and some more.
    const EXAMPLES: [&str; 20] = [
        "NO9386011117947",
        "BE68539007547034",
        "NL91ABNA0417164300",
        "SI56263300012039086",
        "AT611904300234573201",
        "CH9300762011623852957",
        "DE89370400440532013000",
        "GB29NWBK60161331926819",
        "AE070331234567890123456",
        "ES9121000418450200051332",
        "PT50000201231234567890154",
        "TR330006100519786457841326",
        "FR1420041010050500013M02606",
        "IT60X0542811101000000123456",
        "PL61109010140000071219812874",
        "BR9700360305000010009795493P1",
        "JO94CBJO0010000000000131000302",
        "MT84MALT011000012345MTLCAST001S",
        "LC55HEMM000100010012001200023015",
        "XK051212012345678906",
    ];

    #[test]
    fn countries_are_sorted_for_the_binary_search() {
        assert!(LENGTHS.is_sorted());
    }

    #[test]
    fn registry_examples_are_found_in_both_forms() {
        for example in EXAMPLES {
            assert_eq!(found(example), Some(example));
            let groups: Vec<&str> =
                (0..example.len()).step_by(4).map(|at| &example[at..example.len().min(at + 4)]).collect();
            let printed = groups.join(" ");
            assert_eq!(found(&printed), Some(printed.as_str()));
            let text = format!("{printed}, {}", example.to_lowercase());
            assert_eq!(found(&text), Some(printed.as_str()));
            assert_eq!(found(&example.to_lowercase()), Some(example.to_lowercase().as_str()));
        }
    }

    #[test]
    fn one_wrong_digit_is_detected() {
        for example in EXAMPLES {
            for (at, digit) in example.bytes().enumerate().skip(2).filter(|(_, byte)| byte.is_ascii_digit()) {
                let mut wrong = example.as_bytes().to_vec();
                wrong[at] = b'0' + (digit - b'0' + 1) % 10;
                assert_eq!(found(std::str::from_utf8(&wrong).unwrap()), None, "{example} with another digit at {at}");
            }
        }
    }

    #[test]
    fn wrong_lengths_and_countries_are_not_found() {
        for text in [
            "DE8937040044053201300",
            "DE893704004405320130001",
            "ZZ89370400440532013000",
            "DE89  3704 0044",
            "DE89",
            "DEA9370400440532013000",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn the_text_after_a_number_is_not_part_of_it() {
        assert_eq!(found("DE89 3704 0044 0532 0130 00 is it"), Some("DE89 3704 0044 0532 0130 00"));
        assert_eq!(found("DE89370400440532013000x"), None);
    }
}
