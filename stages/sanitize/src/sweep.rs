//! Finds bytes of a class, eight at a time: most of a text is of no interest, and every step in the sandbox costs.

/// The lowest bit of each byte.
const LOWEST: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// Eight bytes of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eight(u64);

/// Some of eight bytes: the highest bit of each is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mask(u64);

impl Eight {
    /// The ASCII characters from `first` to `last`.
    #[inline]
    pub(crate) fn within(self, first: u8, last: u8) -> Mask {
        // Without its highest bit, no byte can overflow into the next one.
        let low = self.0 & !HIGHEST;
        let at_least_first = low + LOWEST * u64::from(0x80 - first);
        let beyond_last = low + LOWEST * u64::from(0x7f - last);
        Mask(at_least_first & !beyond_last & !self.0 & HIGHEST)
    }

    /// This ASCII character.
    #[inline]
    pub(crate) fn equal(self, byte: u8) -> Mask {
        self.within(byte, byte)
    }

    /// All but the ASCII characters from `first` to `last`.
    #[inline]
    pub(crate) fn outside(self, first: u8, last: u8) -> Mask {
        Mask(!self.within(first, last).0 & HIGHEST)
    }
}

impl Mask {
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The positions of the bytes of a class, ascending. The end of the text is filled up with "a", which must not be in
/// the class.
pub(crate) struct Sweep<'t, C> {
    bytes: &'t [u8],
    class: C,
    /// The position of the next eight bytes.
    next: usize,
    /// What is left of the eight before them.
    mask: u64,
}

impl<'t, C: Fn(Eight) -> Mask> Sweep<'t, C> {
    #[inline]
    pub(crate) fn new(bytes: &'t [u8], class: C) -> Self {
        Self { bytes, class, next: 0, mask: 0 }
    }
}

impl<C: Fn(Eight) -> Mask> Iterator for Sweep<'_, C> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.mask == 0 {
            let rest = self.bytes.get(self.next..)?;
            let eight = match rest.first_chunk::<8>() {
                Some(eight) => *eight,
                None if rest.is_empty() => return None,
                None => {
                    let mut padded = [b'a'; 8];
                    padded[..rest.len()].copy_from_slice(rest);
                    padded
                }
            };
            self.mask = (self.class)(Eight(u64::from_le_bytes(eight))).0;
            self.next += 8;
        }
        let place = self.mask.trailing_zeros() / 8;
        self.mask &= self.mask - 1;
        Some(self.next - 8 + place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8], class: impl Fn(Eight) -> Mask) -> Vec<usize> {
        Sweep::new(bytes, class).collect()
    }

    #[test]
    fn a_range_is_found_next_to_any_byte_and_in_any_place() {
        for byte in 0..=u8::MAX {
            for other in [0, b'-', b':', b'a', 0x7f, 0x80, 0xad, 0xff] {
                for place in 0..11 {
                    let mut bytes = [other; 11];
                    bytes[place] = byte;
                    let expected = |class: &dyn Fn(u8) -> bool| -> Vec<usize> {
                        (0..bytes.len()).filter(|at| class(bytes[*at])).collect()
                    };
                    let in_range = |byte| (b'-'..=b':').contains(&byte);
                    assert_eq!(found(&bytes, |eight| eight.within(b'-', b':')), expected(&in_range));
                    assert_eq!(found(&bytes, |eight| eight.equal(0x7f)), expected(&|byte| byte == 0x7f));
                    let is_unusual = |byte| !(b' '..=b'~').contains(&byte);
                    assert_eq!(found(&bytes, |eight| eight.outside(b' ', b'~')), expected(&is_unusual));
                }
            }
        }
    }

    #[test]
    fn masks_combine() {
        let class = |eight: Eight| eight.within(b'0', b'9').or(eight.equal(b'-'));
        assert_eq!(found(b"a-7b8 79-", class), [1, 2, 4, 6, 7, 8]);
        assert!(found(b"", class).is_empty());
    }
}
