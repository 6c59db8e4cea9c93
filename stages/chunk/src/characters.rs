//! Counts characters (Unicode scalar values) eight bytes at a time.

/// The highest bit of each byte.
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// The number of characters of a text.
pub(crate) fn count(text: &str) -> usize {
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let mut count = 0;
    for eight in eights {
        count += firsts(*eight);
    }
    count + rest.iter().filter(|byte| is_first(**byte)).count()
}

/// Where the character with this number begins, in bytes; the first is 0. The end if the text has no more characters.
pub(crate) fn position(text: &str, number: usize) -> usize {
    let bytes = text.as_bytes();
    if number >= bytes.len() {
        return bytes.len();
    }
    let (eights, _) = bytes.as_chunks::<8>();
    let mut before = 0;
    let mut at = 0;
    for eight in eights {
        let here = firsts(*eight);
        if before + here > number {
            break;
        }
        before += here;
        at += 8;
    }
    let mut first_bytes = (at..bytes.len()).filter(|at| is_first(bytes[*at]));
    first_bytes.nth(number - before).unwrap_or(bytes.len())
}

/// How many characters begin in these bytes.
fn firsts(eight: [u8; 8]) -> usize {
    let word = u64::from_le_bytes(eight);
    // All other bytes of a character begin with the bits 10.
    let others = word & !(word << 1) & HIGHEST;
    8 - others.count_ones() as usize
}

fn is_first(byte: u8) -> bool {
    !matches!(byte, 0x80..=0xbf)
}

/// Counts the characters before ascending positions.
#[derive(Debug)]
pub(crate) struct Characters<'a> {
    text: &'a str,
    at: usize,
    count: usize,
}

impl<'a> Characters<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0, count: 0 }
    }

    /// The number of characters before `position`.
    pub(crate) fn before(&mut self, position: usize) -> usize {
        self.count += count(&self.text[self.at..position]);
        self.at = position;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        let mut characters = Characters::of("aé日b");
        assert_eq!([characters.before(0), characters.before(3), characters.before(7)], [0, 2, 4]);
    }

    #[test]
    fn counts_and_positions_are_those_of_the_characters() {
        let text = "Plain, then é, ü and ß; 日本語のテキスト。 👩‍🚀👍🏽 Привет! The end is plain again.";
        for (start, _) in text.char_indices() {
            let text = &text[start..];
            assert_eq!(count(text), text.chars().count(), "{text}");
            for (number, (at, _)) in text.char_indices().enumerate() {
                assert_eq!(position(text, number), at, "{number} in {text}");
            }
            for more in [0, 1, 7, 1_000] {
                assert_eq!(position(text, text.chars().count() + more), text.len(), "{text}");
            }
        }
    }
}
