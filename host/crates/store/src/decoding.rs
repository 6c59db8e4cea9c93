//! Reads what [`Canonical`](gristmill_core::model::Canonical) has written: nothing, if the bytes are malformed.

use bytes::{Buf, Bytes};

/// The bytes that are left.
pub(super) struct Decoding(Bytes);

impl Decoding {
    pub(super) fn of(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    /// A view of the same memory, not a copy.
    pub(super) fn bytes(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.into()).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn optional<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Option<T>> {
        Some(if self.flag()? { Some(read(self)?) } else { None })
    }

    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        // Grows with the elements read: a damaged length must not allocate memory for elements that are missing.
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(read(self)?);
        }
        Some(list)
    }
}
