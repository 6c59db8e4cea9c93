//! The tokens of a rich text.

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// "{".
    Open,
    /// "}".
    Close,
    /// A control word, and its number if it has one.
    Word(&'a str, Option<i32>),
    /// A control sign.
    Sign(u8),
    /// A byte in the current charset, written as two digits.
    Byte(u8),
    /// Letters in the current charset.
    Text(&'a [u8]),
}

/// Splits a rich text; never fails.
pub(super) fn tokens(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (first, after) = rest.split_first()?;
            match first {
                b'{' | b'}' => {
                    rest = after;
                    return Some(if *first == b'{' { Token::Open } else { Token::Close });
                }
                b'\r' | b'\n' | 0 => rest = after,
                b'\\' => {
                    let (token, remaining) = control(after)?;
                    rest = remaining;
                    return Some(token);
                }
                _ => {
                    let end = rest
                        .iter()
                        .position(|byte| matches!(byte, b'{' | b'}' | b'\\' | b'\r' | b'\n' | 0))
                        .unwrap_or(rest.len());
                    let (letters, remaining) = rest.split_at(end);
                    rest = remaining;
                    return Some(Token::Text(letters));
                }
            }
        }
    })
}

/// The token after a backslash.
fn control(text: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let (first, after) = text.split_first()?;
    if *first == b'\'' {
        let code = after
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        return Some(match code {
            Some(byte) => (Token::Byte(byte), &after[2..]),
            None => (Token::Sign(b'\''), after),
        });
    }
    if !first.is_ascii_alphabetic() {
        return Some((Token::Sign(*first), after));
    }
    let end = text.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, mut rest) = text.split_at(end);
    let word = std::str::from_utf8(word).unwrap_or_default();
    let sign = usize::from(rest.first() == Some(&b'-'));
    let digits = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let mut number = None;
    if digits > 0 {
        let (written, after) = rest.split_at(sign + digits);
        let written = std::str::from_utf8(written).unwrap_or_default();
        number = Some(written.parse().unwrap_or(if sign == 1 { i32::MIN } else { i32::MAX }));
        rest = after;
    }
    if rest.first() == Some(&b' ') {
        rest = &rest[1..];
    }
    if word == "bin" {
        let count = number.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        rest = rest.get(count..).unwrap_or_default();
    }
    Some((Token::Word(word, number), rest))
}
