//! How many bytes a value holds in memory, counted the same way for every bound.

use bytes::Bytes;

/// A value that counts towards a bound in bytes.
pub trait Size {
    /// The size of its contents in bytes, without the overhead of the allocator and the surrounding structs; an item
    /// counts a flat rate for those, because guests choose how many there are.
    fn size(&self) -> usize;
}

impl Size for Bytes {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Size for String {
    fn size(&self) -> usize {
        self.len()
    }
}

impl<T: Size> Size for Option<T> {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, T::size)
    }
}

impl<T: Size> Size for [T] {
    fn size(&self) -> usize {
        self.iter().map(T::size).sum()
    }
}

impl<T: Size> Size for Vec<T> {
    fn size(&self) -> usize {
        self.as_slice().size()
    }
}
