//! International bank account numbers: country, structure for that country and check digits (modulo 97) must be valid.

use super::boundary::is_word;

/// What follows the check digits, by country, from the SWIFT registry: how many digits (n), letters (a) or either (c).
const STRUCTURES: [(&[u8; 2], &str); 89] = [
    (b"AD", "8n12c"),
    (b"AE", "19n"),
    (b"AL", "8n16c"),
    (b"AT", "16n"),
    (b"AZ", "4a20c"),
    (b"BA", "16n"),
    (b"BE", "12n"),
    (b"BG", "4a6n8c"),
    (b"BH", "4a14c"),
    (b"BI", "23n"),
    (b"BR", "23n1a1c"),
    (b"BY", "4c4n16c"),
    (b"CH", "5n12c"),
    (b"CR", "18n"),
    (b"CY", "8n16c"),
    (b"CZ", "20n"),
    (b"DE", "18n"),
    (b"DJ", "23n"),
    (b"DK", "14n"),
    (b"DO", "4c20n"),
    (b"EE", "16n"),
    (b"EG", "25n"),
    (b"ES", "20n"),
    (b"FI", "14n"),
    (b"FK", "2a12n"),
    (b"FO", "14n"),
    (b"FR", "10n11c2n"),
    (b"GB", "4a14n"),
    (b"GE", "2a16n"),
    (b"GI", "4a15c"),
    (b"GL", "14n"),
    (b"GR", "7n16c"),
    (b"GT", "24c"),
    (b"HN", "4a20n"),
    (b"HR", "17n"),
    (b"HU", "24n"),
    (b"IE", "4a14n"),
    (b"IL", "19n"),
    (b"IQ", "4a15n"),
    (b"IS", "22n"),
    (b"IT", "1a10n12c"),
    (b"JO", "4a4n18c"),
    (b"KW", "4a22c"),
    (b"KZ", "3n13c"),
    (b"LB", "4n20c"),
    (b"LC", "4a24c"),
    (b"LI", "5n12c"),
    (b"LT", "16n"),
    (b"LU", "3n13c"),
    (b"LV", "4a13c"),
    (b"LY", "21n"),
    (b"MC", "10n11c2n"),
    (b"MD", "20c"),
    (b"ME", "18n"),
    (b"MK", "3n10c2n"),
    (b"MN", "16n"),
    (b"MR", "23n"),
    (b"MT", "4a5n18c"),
    (b"MU", "4a19n3a"),
    (b"NI", "4a20n"),
    (b"NL", "4a10n"),
    (b"NO", "11n"),
    (b"OM", "3n16c"),
    (b"PK", "4a16c"),
    (b"PL", "24n"),
    (b"PS", "4a21c"),
    (b"PT", "21n"),
    (b"QA", "4a21c"),
    (b"RO", "4a16c"),
    (b"RS", "18n"),
    (b"RU", "14n15c"),
    (b"SA", "2n18c"),
    (b"SC", "4a20n3a"),
    (b"SD", "14n"),
    (b"SE", "20n"),
    (b"SI", "15n"),
    (b"SK", "20n"),
    (b"SM", "1a10n12c"),
    (b"SO", "19n"),
    (b"ST", "21n"),
    (b"SV", "4a20n"),
    (b"TL", "19n"),
    (b"TN", "20n"),
    (b"TR", "6n16c"),
    (b"UA", "6n19c"),
    (b"VA", "18n"),
    (b"VG", "4a16n"),
    (b"XK", "16n"),
    (b"YE", "4a4n18c"),
];

/// What a place of the number may hold.
#[derive(Debug, Clone, Copy)]
enum Class {
    Digit,
    Letter,
    Either,
}

/// The end of the number that begins at `at`. Its groups may be apart; the country may be apart from the check digits.
pub(super) fn end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let [a, b, c, d, ..] = bytes[at..] else { return None };
    let check_digits = match (c, d) {
        (b'0'..=b'9', b'0'..=b'9') => at + 2,
        (b' ', b'0'..=b'9') if bytes.get(at + 4).is_some_and(u8::is_ascii_digit) => at + 3,
        _ => return None,
    };
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let index = STRUCTURES.binary_search_by_key(&&country, |(country, _)| country).ok()?;
    let (_, structure) = STRUCTURES[index];
    // Only a word directly before the number rules it out: the check digits are evidence enough.
    let before = &text[..at];
    let glued = before
        .len()
        .checked_sub(4)
        .and_then(|from| before.get(from..))
        .is_some_and(|word| word.eq_ignore_ascii_case("iban"));
    if before.ends_with(|c| c != '_' && is_word(c)) && !glued {
        return None;
    }
    // The check is computed over the number with its first four characters moved to the end.
    let mut check = Check { remainder: 0, at: check_digits + 2 };
    for class in classes(structure) {
        check.next(text, class)?;
    }
    let end = check.at;
    let digit = |at: usize| u32::from(bytes[at] - b'0');
    let moved = check.with(10 + u32::from(country[0] - b'A'), 100).with(10 + u32::from(country[1] - b'A'), 100);
    let moved = moved.with(digit(check_digits), 10).with(digit(check_digits + 1), 10);
    // The code of the bank may follow directly, a digit may not.
    let closed = !text[end..].starts_with(|c: char| c == '_' || c.is_ascii_digit());
    (moved.remainder == 1 && closed).then_some(end)
}

/// The class of each place of a structure.
fn classes(structure: &str) -> impl Iterator<Item = Class> {
    let mut count = 0_usize;
    structure.bytes().flat_map(move |byte| {
        let class = match byte {
            b'n' => Class::Digit,
            b'a' => Class::Letter,
            _ => Class::Either,
        };
        let places = if byte.is_ascii_digit() { 0 } else { count };
        count = if byte.is_ascii_digit() { 10 * count + usize::from(byte - b'0') } else { 0 };
        std::iter::repeat_n(class, places)
    })
}

/// The remainder of what was read so far.
#[derive(Debug, Clone, Copy)]
struct Check {
    remainder: u32,
    at: usize,
}

impl Check {
    fn with(self, value: u32, shift: u32) -> Self {
        Self { remainder: (shift * self.remainder + value) % 97, at: self.at }
    }

    /// Reads one character, after a separator if there is one.
    fn next(&mut self, text: &str, class: Class) -> Option<()> {
        let at = self.at + separator_length(text, self.at);
        let byte = *text.as_bytes().get(at)?;
        let (value, shift) = match (byte, class) {
            (b'0'..=b'9', Class::Digit | Class::Either) => (u32::from(byte - b'0'), 10),
            (b'a'..=b'z', Class::Letter | Class::Either) => (10 + u32::from(byte - b'a'), 100),
            (b'A'..=b'Z', Class::Letter | Class::Either) => (10 + u32::from(byte - b'A'), 100),
            _ => return None,
        };
        *self = Self { at: at + 1, ..self.with(value, shift) };
        Some(())
    }
}

/// The length of a sign, of one or two spaces, or of a line break with its spaces.
fn separator_length(text: &str, at: usize) -> usize {
    let bytes = &text.as_bytes()[at.min(text.len())..];
    match bytes {
        [b'-' | b'.' | b'/', ..] => 1,
        _ => {
            let length = bytes.iter().take(4).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
            let breaks = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
            if breaks > 1 || (breaks == 0 && length > 2) { 0 } else { length }
        }
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
        assert!(STRUCTURES.is_sorted());
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
    fn other_separators_are_found() {
        for text in [
            "DE89.3704.0044.0532.0130.00",
            "DE 89 3704 0044 0532 0130 00",
            "DE89  3704  0044  0532  0130  00",
            "DE89 3704 0044\n0532 0130 00",
        ] {
            assert_eq!(found(text), Some(text));
        }
        assert_eq!(end("IBANDE89370400440532013000", 4), Some(26));
        assert_eq!(end("xDE89370400440532013000", 1), None);
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
            "DE89   3704 0044 0532 0130 00",
            "DE8937040044053201300A",
            "DE89",
            "DEA9370400440532013000",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn the_text_after_a_number_is_not_part_of_it() {
        assert_eq!(found("DE89 3704 0044 0532 0130 00 is it"), Some("DE89 3704 0044 0532 0130 00"));
        assert_eq!(found("DE89370400440532013000BIC:COBADEFF"), Some("DE89370400440532013000"));
    }
}
