//! How many bytes things hold in memory: one sum for all bounds.

use bytes::Bytes;

/// What counts against a bound in bytes.
pub trait Size {
    /// Bytes of its contents, without what the allocator and the structs around them take.
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
