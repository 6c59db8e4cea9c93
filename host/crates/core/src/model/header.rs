//! Small named values that travel with records and items.

use std::borrow::Cow;

use bytes::Bytes;

use super::canonical::{Canonical, Write};
use super::size::Size;

/// One header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name; not necessarily unique. Those that the host knows are borrowed, so that they cost no allocation.
    pub name: Cow<'static, str>,
    /// The value; `None` is a null value, which differs from an empty one.
    pub value: Option<Bytes>,
}

/// Small text that travels with an item from stage to stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// Unique within one item.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Size for Header {
    fn size(&self) -> usize {
        self.name.len() + self.value.size()
    }
}

impl Size for Attribute {
    fn size(&self) -> usize {
        self.name.size() + self.value.size()
    }
}

impl Attribute {
    /// Encodes it.
    pub fn encode(&self, to: &mut Canonical<impl Write>) {
        let Self { name, value } = self;
        to.text(name);
        to.text(value);
    }
}

impl Header {
    /// Encodes it.
    pub fn encode(&self, to: &mut Canonical<impl Write>) {
        let Self { name, value } = self;
        to.text(name);
        to.optional(value.as_deref(), Canonical::bytes);
    }
}
