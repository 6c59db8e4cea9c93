//! SHA-256, as consumers read it.

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes, in 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    push_sha256(bytes, &mut text);
    text
}

/// The same at the end of a text.
pub(super) fn push_sha256(bytes: &[u8], text: &mut String) {
    // Not by a formatter, and at once: every output passes here.
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(Sha256::digest(bytes)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_sha256sum_writes_it() {
        assert_eq!(sha256(b"part"), "37a680133bd09342f934afb8dd2c7d9e1b624da5f35e3a38adb103e37c055ed1");
    }
}
