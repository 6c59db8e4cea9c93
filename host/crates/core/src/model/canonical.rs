//! Encodes values as bytes, different values as different bytes, for digests and for storage on disk.

use sha2::{Digest, Sha256};

/// Where the bytes go.
pub trait Write {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl Write for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Write for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// The canonical encoding: numbers are big-endian with a fixed length, and everything else is prefixed with its length.
///
/// Do not change it: stores look up their contents by digests of it. Encode structs by destructuring them in full
/// (`let Item { id, key, .. }` without the `..`), so that adding a field does not compile until someone decides whether
/// to include it.
#[derive(Debug, Default)]
pub struct Canonical<W>(W);

impl Canonical<Sha256> {
    /// Starts a digest of this kind of value; the name keeps digests of different kinds apart.
    #[must_use]
    pub fn digest(of: &str) -> Self {
        let mut encoding = Self(Sha256::new());
        encoding.text(of);
        encoding
    }

    /// The digest.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl<W: Write> Canonical<W> {
    /// An encoding that writes to `to`.
    #[must_use]
    pub fn new(to: W) -> Self {
        Self(to)
    }

    /// The writer.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.0
    }

    /// A number, in eight bytes.
    pub fn number(&mut self, number: u64) {
        self.0.write(&number.to_be_bytes());
    }

    /// Which variant of a closed list follows, in one byte.
    pub fn kind(&mut self, kind: u8) {
        self.0.write(&[kind]);
    }

    /// Bytes of any length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.write(bytes);
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A value that may be absent, which differs from an empty one.
    pub fn optional<T>(&mut self, value: Option<T>, encode: impl FnOnce(&mut Self, T)) {
        self.kind(u8::from(value.is_some()));
        if let Some(value) = value {
            encode(self, value);
        }
    }

    /// Values in order, prefixed with their count.
    pub fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut encode: impl FnMut(&mut Self, T)) {
        self.number(values.len() as u64);
        for value in values {
            encode(self, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(encode: impl FnOnce(&mut Canonical<Vec<u8>>)) -> Vec<u8> {
        let mut encoding = Canonical::new(Vec::new());
        encode(&mut encoding);
        encoding.into_inner()
    }

    #[test]
    fn what_differs_is_encoded_differently() {
        let all = [
            bytes(|to| to.list(["ab", "c"].iter(), |to, text| to.text(text))),
            bytes(|to| to.list(["a", "bc"].iter(), |to, text| to.text(text))),
            bytes(|to| to.list(["abc"].iter(), |to, text| to.text(text))),
            bytes(|to| to.optional(None::<&str>, Canonical::text)),
            bytes(|to| to.optional(Some(""), Canonical::text)),
            bytes(|to| to.number(0)),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{one:?}");
        }
    }

    #[test]
    fn the_encoding_stays() {
        assert_eq!(bytes(|to| to.optional(Some("ab"), Canonical::text)), [1, 0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b']);
        let digest: String = Canonical::digest("x").finish().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "028f0df5b8596fbcd10c9720b7a4784f8e7e04f629bd5a62bfbdf139678b6624");
    }
}
