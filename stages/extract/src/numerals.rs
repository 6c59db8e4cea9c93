//! Numbers of list items as letters and Roman numerals.

/// 1 is "a", 26 "z", 27 "aa"; nothing for 0.
pub(crate) fn letters(mut number: u64) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        letters.push(b'a' + u8::try_from(number % 26).unwrap_or_default());
        number /= 26;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// 4 is "iv"; nothing for 0 and for numbers that the Romans did not write.
pub(crate) fn roman(mut number: u64) -> String {
    const NUMERALS: &[(u64, &str)] = &[
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    let mut text = String::new();
    if number > 3999 {
        return text;
    }
    for (value, numeral) in NUMERALS {
        while number >= *value {
            text.push_str(numeral);
            number -= value;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_letters_and_numerals() {
        assert_eq!([1, 26, 27, 703].map(letters), ["a", "z", "aa", "aaa"]);
        assert_eq!([1, 4, 9, 14, 1987].map(roman), ["i", "iv", "ix", "xiv", "mcmlxxxvii"]);
        assert_eq!((letters(0), roman(0), roman(4000)), (String::new(), String::new(), String::new()));
    }
}
