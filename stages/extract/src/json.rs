//! JSON: kept as it is, but for letters that are written as numbers.

/// JSON in which `\u00e9` is "é". Letters of ASCII stay as they are, so that the text is still the same JSON.
pub(crate) fn readable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        if let Some((letter, length)) = letter(escape) {
            text.push(letter);
            rest = &escape[length..];
        } else {
            // The character behind the backslash may be another one.
            let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
            text.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    text.push_str(rest);
    text
}

/// The letter that the start of `text` stands for, and the length of the escape in bytes.
fn letter(text: &str) -> Option<(char, usize)> {
    let first = unit(text)?;
    let (letter, length) = match char::from_u32(first) {
        Some(letter) => (letter, 6),
        None => {
            let pair = [u16::try_from(first).ok()?, u16::try_from(unit(text.get(6..)?)?).ok()?];
            (char::decode_utf16(pair).next()?.ok()?, 12)
        }
    };
    (!letter.is_ascii() && !letter.is_control()).then_some((letter, length))
}

fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => u32::from_str_radix(digits, 16).ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn letters_are_readable_and_the_rest_is_unchanged() {
        assert_eq!(readable(r#"{"a\n": "caf\u00e9 \ud83c\udf3e \u0022"}"#), r#"{"a\n": "café 🌾 \u0022"}"#);
        for same in [r"\\u00e9", r"\ud83c", r"\u00", r"\", r"\é", r"\u+0e9", "1.50"] {
            assert_eq!(readable(same), same);
        }
    }
}
